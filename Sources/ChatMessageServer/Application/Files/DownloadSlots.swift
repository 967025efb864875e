import ChatFileStore
import CommonUtil
import NIOCore
import Synchronization

/// Bounds the downloads that read from the store at a time (``DownloadQueue``). Those that wait are served in turn, for a
/// bounded time.
final class DownloadSlots: Sendable {
    /// Ends the connection of a download.
    typealias Cut = @Sendable () -> Void

    /// A download that waits.
    private struct Waiter {
        let continuation: CheckedContinuation<Bool, Never>
        let deadline: ContinuousClock.Instant
    }

    private struct State {
        var queue: DownloadQueue
        var lastID = 0
        var waiters: [Int: Waiter] = [:]
        var cuts: [Int: Cut] = [:]
        /// Whether a task watches those that wait.
        var isWatched = false
    }

    private let state: Mutex<State>
    /// Longest time that a download waits for its turn.
    private let waitTimeout: Duration
    /// Time between two looks at those that wait, and for downloads that can be ended.
    private let step: Duration
    private let metrics: FileMetrics

    init(
        _ limits: DownloadQueue.Limits = .init(), timeout: Duration = .seconds(10), step: Duration = .seconds(1),
        metrics: FileMetrics = FileMetrics()
    ) {
        state = Mutex(State(queue: DownloadQueue(limits)))
        waitTimeout = timeout
        self.step = step
        self.metrics = metrics
    }

    /// Takes a place if one is free.
    /// - Parameter cut: as of ``take(_:cut:)``.
    func takeNow(_ reader: DownloadReader, cut: @escaping Cut) -> Slot? {
        let id = state.withLock { state -> Int? in
            guard state.queue.mayBegin(reader) else { return nil }
            state.lastID += 1
            _ = state.queue.add(state.lastID, of: reader)
            state.cuts[state.lastID] = cut
            report(state.queue)
            return state.lastID
        }
        return id.map { Slot(id: $0, slots: self) }
    }

    /// Takes a place, and waits for one where none is free.
    /// - Parameter cut: called where the place is needed for another download, since this one's client takes nothing.
    /// - Throws: `unavailable` (503) if too many wait, or the time is over.
    func take(_ reader: DownloadReader, cut: @escaping Cut) async throws(ChatError) -> Slot {
        let id = state.withLock { state in
            state.lastID += 1
            return state.lastID
        }
        let hasBegun = await withTaskCancellationHandler {
            await wait(id, reader, cut)
        } onCancel: {
            giveUp(id)
        }
        guard hasBegun else { throw .unavailable("Too many files are being read right now") }
        return Slot(id: id, slots: self)
    }

    /// - Returns: whether the download has its place.
    private func wait(_ id: Int, _ reader: DownloadReader, _ cut: @escaping Cut) async -> Bool {
        await withCheckedContinuation { continuation in
            let (admission, beginsToWatch) = state.withLock { state in
                // What is cancelled before has begun nothing.
                let admission = Task.isCancelled ? .refused : state.queue.add(id, of: reader)
                if admission != .refused { state.cuts[id] = cut }
                var beginsToWatch = false
                if admission == .waits {
                    state.waiters[id] = Waiter(continuation: continuation, deadline: .now + waitTimeout)
                    beginsToWatch = !state.isWatched
                    state.isWatched = true
                }
                report(state.queue)
                return (admission, beginsToWatch)
            }
            if beginsToWatch { Task { await watch() } }
            switch admission {
            case .begins: continuation.resume(returning: true)
            case .refused: continuation.resume(returning: false)
            case .waits: break
            }
        }
    }

    /// Makes room for the downloads that wait, and gives up those whose time is over. Ends once none waits.
    private func watch() async {
        while evictAndExpire() {
            // Nobody cancels it.
            try? await Task.sleep(for: step)
        }
    }

    /// - Returns: whether any download waits.
    private func evictAndExpire() -> Bool {
        let now = ContinuousClock.now
        let (late, cuts, isWatched) = state.withLock { state in
            let late = state.waiters.filter { $0.value.deadline <= now }
            for id in late.keys {
                state.waiters[id] = nil
                state.cuts[id] = nil
                _ = state.queue.end(id)
            }
            if !late.isEmpty { report(state.queue) }
            let cuts = state.queue.cut(at: now).compactMap { state.cuts.removeValue(forKey: $0) }
            state.isWatched = !state.waiters.isEmpty
            return (late.values.map(\.continuation), cuts, state.isWatched)
        }
        for waiter in late { waiter.resume(returning: false) }
        for cut in cuts {
            metrics.cutDownload()
            cut()
        }
        return isWatched
    }

    /// Ends the waiting of a download, if it waits.
    private func giveUp(_ id: Int) {
        let waiter = state.withLock { state in
            guard let waiter = state.waiters.removeValue(forKey: id) else {
                return Waiter?.none
            }
            _ = state.queue.end(id)
            state.cuts[id] = nil
            report(state.queue)
            return waiter
        }
        waiter?.continuation.resume(returning: false)
    }

    fileprivate func end(_ id: Int) {
        let waiters = state.withLock { state in
            state.cuts[id] = nil
            let begun = state.queue.end(id)
            report(state.queue)
            return begun.compactMap { state.waiters.removeValue(forKey: $0) }
        }
        for waiter in waiters { waiter.continuation.resume(returning: true) }
    }

    private func report(_ queue: borrowing DownloadQueue) {
        metrics.downloads(active: queue.activeCount, waiting: queue.waitingCount)
    }

    /// The place of one download, which is free again when its last byte was handed out, or nobody holds it.
    final class Slot: Sendable {
        private let id: Int
        private let slots: DownloadSlots

        fileprivate init(id: Int, slots: DownloadSlots) {
            self.id = id
            self.slots = slots
        }

        deinit { slots.end(id) }

        /// Frees the place. May be repeated.
        fileprivate func end() { slots.end(id) }

        fileprivate func readStarted() { slots.state.withLock { $0.queue.readStarted(id) } }

        fileprivate func pieceSent(_ bytes: Int) {
            slots.state.withLock { $0.queue.pieceSent(id, at: .now) }
            slots.metrics.downloaded(bytes)
        }
    }
}

/// The bytes of a download. Holds the download's slot until the last byte is read, or until it is deallocated.
struct SlottedBytes<Base: AsyncSequence<ByteBuffer, any Error> & Sendable>: AsyncSequence, Sendable {
    let base: Base
    let slot: DownloadSlots.Slot

    init(_ base: Base, _ slot: DownloadSlots.Slot) {
        self.base = base
        self.slot = slot
    }

    func makeAsyncIterator() -> Iterator { Iterator(base: base.makeAsyncIterator(), slot: slot) }

    struct Iterator: AsyncIteratorProtocol {
        var base: Base.AsyncIterator
        let slot: DownloadSlots.Slot

        mutating func next() async throws -> ByteBuffer? {
            // The client has taken what was read before, but for what the connection's watermark lets wait.
            slot.readStarted()
            guard let piece = try await base.next() else {
                // Nothing is read any more for a client that does not take the last piece; its connection has a deadline.
                slot.end()
                return nil
            }
            slot.pieceSent(piece.readableBytes)
            return piece
        }
    }
}
