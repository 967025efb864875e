import Dispatch
import Glibc
import Synchronization

/// A file descriptor of this process that log lines are written to by a thread of its own.
///
/// Standard output leads to somebody who may not read. A caller therefore never waits: lines are queued in bounded
/// memory, and those that find no room are dropped and counted (``LogQueue``).
public final class QueuedLogOutput: LogOutput {
    /// Bytes that may wait to be written: some 2,000 lines.
    public static let defaultCapacity = 1 << 20

    private struct State {
        var queue: LogQueue
        /// The thread waits for ``wake``.
        var isAsleep = false
        var isStopped = false
        /// Those who wait until everything is written.
        var flushes: [DispatchSemaphore] = []
    }

    private let descriptor: Int32
    private let state: Mutex<State>
    private let wake = DispatchSemaphore(value: 0)
    private let notice: @Sendable (Int) -> [UInt8]
    private let onDrop: @Sendable () -> Void

    /// - Parameters:
    ///   - notice: makes the line that stands where so many lines are missing.
    ///   - onDrop: called for each dropped line, by whoever wrote it. Must not block.
    public init(
        _ descriptor: Int32, capacity: Int = defaultCapacity,
        notice: @escaping @Sendable (Int) -> [UInt8] = { _ in [] },
        onDrop: @escaping @Sendable () -> Void = {}
    ) {
        self.descriptor = descriptor
        self.notice = notice
        self.onDrop = onDrop
        state = Mutex(State(queue: LogQueue(capacity: capacity)))
        startThread()
    }

    public func write(_ line: [UInt8]) {
        let (isTaken, mustWake) = state.withLock { state in
            let isTaken = state.queue.append(line)
            defer { state.isAsleep = false }
            return (isTaken, state.isAsleep)
        }
        if mustWake { wake.signal() }
        if !isTaken { onDrop() }
    }

    /// Waits until all that was handed over so far is written, at most so long. For the end of a process: it blocks.
    /// - Returns: false where the time was not enough.
    @discardableResult
    public func flush(within limit: Duration) -> Bool {
        let isWritten = state.withLock { state -> DispatchSemaphore? in
            guard !state.queue.isDrained else { return nil }
            let semaphore = DispatchSemaphore(value: 0)
            state.flushes.append(semaphore)
            return semaphore
        }
        let milliseconds = Int(limit / .milliseconds(1))
        return isWritten.map { $0.wait(timeout: .now() + .milliseconds(milliseconds)) == .success } ?? true
    }

    /// Ends the thread, once it has written what is there. Lines that come later are kept and not written.
    func stop() {
        state.withLock { $0.isStopped = true }
        wake.signal()
    }

    // MARK: The thread

    private func startThread() {
        let start = Unmanaged.passRetained(self)
        var thread = pthread_t()
        let status = pthread_create(
            &thread, nil,
            { raw in
                if let raw { Unmanaged<QueuedLogOutput>.fromOpaque(raw).takeRetainedValue().run() }
                return nil
            }, start.toOpaque())
        precondition(status == 0, "the process cannot start another thread")
        pthread_detach(thread)
    }

    private enum Step {
        case write(LogQueue.Batch)
        case sleep
        case end
    }

    private func run() {
        while true {
            let (step, flushes) = state.withLock { state -> (Step, [DispatchSemaphore]) in
                state.queue.finish()
                if let batch = state.queue.take() { return (.write(batch), []) }
                defer { state.flushes = [] }
                state.isAsleep = !state.isStopped
                return (state.isStopped ? .end : .sleep, state.flushes)
            }
            for flush in flushes { flush.signal() }
            switch step {
            case .write(let batch):
                put(batch.bytes)
                if batch.droppedLines > 0 { put(notice(batch.droppedLines)) }
            case .sleep:
                wake.wait()
            case .end:
                return
            }
        }
    }

    private func put(_ bytes: [UInt8]) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let written = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if written > 0 {
                rest = rest.dropFirst(written)
            } else if errno == EAGAIN {
                // Whoever shares the other end may have made it non-blocking.
                var interest = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                poll(&interest, 1, -1)
            } else if errno != EINTR {
                // A log that cannot be written has nobody left to tell; what was lost is counted all the same.
                for byte in rest where byte == UInt8(ascii: "\n") { onDrop() }
                return
            }
        }
    }
}
