import Dispatch
import Glibc
import Synchronization

/// Writes log lines to a file descriptor by a thread of its own.
///
/// The reader of standard output can stop reading. So a caller never waits: lines are queued in bounded memory, and lines
/// without room are dropped and counted (``LogQueue``).
public final class QueuedLogOutput: LogOutput {
    /// The default capacity in bytes: some 2,000 lines.
    public static let defaultCapacity = 1 << 20

    private struct State {
        var queue: LogQueue
        /// The thread waits for ``wake``.
        var isAsleep = false
        var isStopped = false
        /// Callers of ``flush(within:)``.
        var flushes: [DispatchSemaphore] = []
    }

    private let descriptor: Int32
    private let state: Mutex<State>
    private let wake = DispatchSemaphore(value: 0)
    private let notice: @Sendable (Int) -> [UInt8]
    private let onDrop: @Sendable () -> Void

    /// - Parameters:
    ///   - descriptor: the file descriptor.
    ///   - capacity: the maximum size of waiting lines, in bytes.
    ///   - notice: makes the line in place of a number of dropped lines.
    ///   - onDrop: called for each dropped line on the thread that wrote it. Must not block.
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

    /// Queues a line, or drops it where there is no room. Never blocks.
    public func write(_ line: [UInt8]) {
        let (isTaken, mustWake) = state.withLock { state in
            let isTaken = state.queue.append(line)
            defer { state.isAsleep = false }
            return (isTaken, state.isAsleep)
        }
        if mustWake { wake.signal() }
        if !isTaken { onDrop() }
    }

    /// Waits until all lines so far are written. Blocks the thread, so it is only for the end of a process.
    /// - Parameter limit: the maximum time.
    /// - Returns: `false` if the time was not enough.
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

    /// Ends the thread once it has written the queued lines. Later lines are queued and not written.
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
                // The description is shared with other processes, which can have made it non-blocking.
                var interest = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                poll(&interest, 1, -1)
            } else if errno != EINTR {
                // The log cannot be written, which cannot be logged; the lost lines are counted.
                for byte in rest where byte == UInt8(ascii: "\n") { onDrop() }
                return
            }
        }
    }
}

/// Log lines that wait to be written, bounded in bytes. Pure: no I/O.
///
/// A line without room is dropped and counted, and so is every line after it until the queue is taken. So there is one gap,
/// directly behind the taken lines, where the writer adds a line with its length.
struct LogQueue {
    /// The lines to write next.
    struct Batch: Equatable {
        /// Whole lines.
        var bytes: [UInt8]
        /// How many lines were dropped after these.
        var droppedLines: Int
    }

    private let capacity: Int
    private var waiting: [UInt8] = []
    private var dropped = 0
    /// Bytes that were taken and are not written yet. They count towards the capacity, since they are still in memory.
    private var bytesInProgress = 0

    init(capacity: Int) {
        self.capacity = capacity
    }

    /// Whether all lines are written.
    var isDrained: Bool { waiting.isEmpty && dropped == 0 && bytesInProgress == 0 }

    /// Adds a line.
    /// - Returns: `false` if it was dropped.
    mutating func append(_ line: [UInt8]) -> Bool {
        guard dropped == 0, bytesInProgress + waiting.count + line.count <= capacity else {
            dropped += 1
            return false
        }
        waiting.append(contentsOf: line)
        return true
    }

    /// Removes all waiting lines; they are in progress until ``finish()``.
    /// - Returns: `nil` if there are none.
    mutating func take() -> Batch? {
        guard !waiting.isEmpty || dropped > 0 else { return nil }
        defer {
            bytesInProgress = waiting.count
            waiting = []
            dropped = 0
        }
        return Batch(bytes: waiting, droppedLines: dropped)
    }

    /// Ends the last batch: it is written, or abandoned.
    mutating func finish() { bytesInProgress = 0 }
}
