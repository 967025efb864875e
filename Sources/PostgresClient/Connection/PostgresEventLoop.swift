import DequeModule
import Glibc
import Synchronization

/// The owner of an event loop. Its methods are called on the loop's thread.
protocol PostgresEventLoopHandler: AnyObject, Sendable {
    /// Adds the sockets to wait for, and returns the time to wake up at the latest.
    func prepareToWait(_ watches: inout [SocketWatch]) -> ContinuousClock.Instant?
    /// A socket can be read or written, or has ended.
    func ready(_ watch: SocketWatch)
    /// All that was ready or enqueued has been handled: the requests of the turn can be sent together.
    func turnEnded()
}

/// Interest in a socket, on behalf of the connection with this id.
struct SocketWatch: Sendable, Hashable {
    var connection: Int
    var descriptor: CInt
    var events: CShort

    static let reading = CShort(POLLIN)
    static let writing = CShort(POLLOUT)
}

/// The one thread that touches libpq: it waits for sockets, then runs what was enqueued, then sleeps again.
///
/// It is the executor of the ``PostgresPool``, whose isolation therefore is this thread. It waits with `poll(2)`: a
/// pool has a handful of sockets, libpq replaces them while it connects, and a list passed again each
/// time cannot go stale.
///
/// `@unchecked Sendable`: `inbox` is a `Mutex`, `thread` an `Atomic`, the descriptors never change; everything else is
/// local to the thread.
final class PostgresEventLoop: SerialExecutor, @unchecked Sendable {
    private enum Work {
        case job(UnownedJob)
        case closure(@Sendable () -> Void)
    }

    private struct Inbox {
        var work = Deque<Work>()
        var isAwake = false
        var isStopped = false
    }

    private let inbox = Mutex(Inbox())
    private let thread = Atomic<UInt>(0)
    private let wakeReader: CInt
    private let wakeWriter: CInt

    init() {
        var pipe: (CInt, CInt) = (-1, -1)
        let status = withUnsafeMutableBytes(of: &pipe) {
            Glibc.pipe($0.assumingMemoryBound(to: CInt.self).baseAddress)
        }
        precondition(status == 0, "the process has no file descriptor left for a pipe")
        (wakeReader, wakeWriter) = pipe
        for descriptor in [wakeReader, wakeWriter] {
            _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
            _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        }
    }

    deinit {
        close(wakeReader)
        close(wakeWriter)
    }

    /// Starts the thread, which keeps loop and handler alive until ``stop()``.
    func start(_ handler: any PostgresEventLoopHandler) {
        let start = Unmanaged.passRetained(Start(loop: self, handler: handler))
        var identifier = pthread_t()
        let status = pthread_create(
            &identifier, nil,
            { raw in
                guard let raw else { return nil }
                let start = Unmanaged<Start>.fromOpaque(raw).takeRetainedValue()
                start.loop.run(start.handler)
                return nil
            }, start.toOpaque())
        precondition(status == 0, "the process cannot start another thread")
        pthread_detach(identifier)
    }

    /// Ends the thread after the enqueued closures.
    func stop() {
        inbox.withLock { $0.isStopped = true }
        wake()
    }

    /// Runs a closure on the loop's thread, after those enqueued before it.
    /// - Returns: `false` if the loop has been stopped.
    @discardableResult
    func execute(_ closure: @escaping @Sendable () -> Void) -> Bool {
        enqueue(.closure(closure))
    }

    /// Whether the caller is on the loop's thread.
    var isCurrentThread: Bool { thread.load(ordering: .relaxed) == UInt(pthread_self()) }

    // MARK: SerialExecutor

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        // A job must run. Nothing hops to a stopped pool: every way in goes through `execute`.
        let accepted = enqueue(.job(job))
        precondition(accepted, "a job for an event loop that has ended")
    }

    func checkIsolated() {
        precondition(isCurrentThread, "not on the event loop's thread")
    }

    func isIsolatingCurrentContext() -> Bool? { isCurrentThread }

    // MARK: The loop

    private func enqueue(_ work: Work) -> Bool {
        let (accepted, mustWake) = inbox.withLock { inbox in
            guard !inbox.isStopped else { return (false, false) }
            inbox.work.append(work)
            defer { inbox.isAwake = true }
            return (true, !inbox.isAwake)
        }
        if mustWake { wake() }
        return accepted
    }

    private func wake() {
        // A full pipe is as good as a byte more: the loop will wake.
        var byte: UInt8 = 1
        _ = write(wakeWriter, &byte, 1)
    }

    private func run(_ handler: any PostgresEventLoopHandler) {
        thread.store(UInt(pthread_self()), ordering: .relaxed)
        var watches: [SocketWatch] = []
        var descriptors: [pollfd] = []
        var isStopped = false
        while !isStopped {
            watches.removeAll(keepingCapacity: true)
            let deadline = handler.prepareToWait(&watches)
            descriptors.removeAll(keepingCapacity: true)
            descriptors.append(pollfd(fd: wakeReader, events: CShort(POLLIN), revents: 0))
            for watch in watches {
                descriptors.append(pollfd(fd: watch.descriptor, events: watch.events, revents: 0))
            }
            let count = poll(&descriptors, nfds_t(descriptors.count), Self.milliseconds(until: deadline))
            if count > 0 {
                if descriptors[0].revents != 0 { drainPipe() }
                for (watch, descriptor) in zip(watches, descriptors.dropFirst()) where descriptor.revents != 0 {
                    handler.ready(
                        SocketWatch(
                            connection: watch.connection, descriptor: watch.descriptor, events: descriptor.revents))
                }
            }
            isStopped = runInbox()
            handler.turnEnded()
        }
    }

    /// Runs the enqueued closures, and those that they enqueue, for a bounded number of rounds.
    private func runInbox() -> Bool {
        for round in 1... {
            let (work, isStopped) = inbox.withLock { inbox in
                let work = inbox.work
                inbox.work = Deque()
                // From here on an enqueuer must wake the loop again.
                if work.isEmpty || round == 8 { inbox.isAwake = false }
                return (work, inbox.isStopped)
            }
            for item in work {
                switch item {
                case .job(let job): job.runSynchronously(on: asUnownedSerialExecutor())
                case .closure(let closure): closure()
                }
            }
            if work.isEmpty || round == 8 { return isStopped && work.isEmpty }
        }
        return false
    }

    private func drainPipe() {
        var bytes = (UInt64(0), UInt64(0))
        while read(wakeReader, &bytes, MemoryLayout.size(ofValue: bytes)) > 0 {}
    }

    private static func milliseconds(until deadline: ContinuousClock.Instant?) -> CInt {
        guard let deadline else { return -1 }
        let wait = deadline - ContinuousClock.now
        return wait > .zero ? CInt(clamping: wait.wholeMilliseconds) : 0
    }

    private final class Start {
        let loop: PostgresEventLoop
        let handler: any PostgresEventLoopHandler

        init(loop: PostgresEventLoop, handler: any PostgresEventLoopHandler) {
            self.loop = loop
            self.handler = handler
        }
    }
}
