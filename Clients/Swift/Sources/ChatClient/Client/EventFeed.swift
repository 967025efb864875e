import NIOConcurrencyHelpers

/// The reader of one ``ChatEvents`` iterator: joins live events with pages of the log.
final class EventFeed: Sendable {
    private struct State {
        var reader: Reader
        /// Actions that no call of `next()` has carried out yet.
        var pending: [Reader.Action] = []
        /// Number of resets. A page that was requested before the last one is of another log.
        var resets = 0
        var waiting: CheckedContinuation<Void, Never>?
    }

    /// The course of one call of `next()`.
    private struct Progress {
        /// Pauses in a row because of pages that failed or were empty.
        var attempts = 0
        /// The error of the last page, if it failed.
        var lastError: ChatError?
    }

    let id: String
    let roomID: String
    private let state: NIOLockedValueBox<State>

    init(roomID: String, id: String, reader: Reader) {
        self.roomID = roomID
        self.id = id
        state = NIOLockedValueBox(State(reader: reader))
    }

    var position: LogPosition? { state.withLockedValue { $0.reader.position } }

    /// Begins after a position that became known later than the feed was made.
    func begin(after position: LogPosition) { state.withLockedValue { $0.reader = Reader(after: position) } }

    // MARK: Events of the room

    func event(_ event: ChatEvent) { apply { $0.event(event) } }
    func head(_ head: LogPosition) { apply { $0.head(head) } }
    func missed() { apply { $0.missed() } }
    func reset() {
        state.withLockedValue { $0.resets += 1 }
        apply { $0.reset() }
    }
    func removed() { apply { $0.removed() } }
    func close() { apply { $0.close() } }

    /// - Parameter resets: the input is ignored if there was another reset since.
    private func apply(since resets: Int? = nil, _ input: (inout Reader) -> [Reader.Action]) {
        let waiting = state.withLockedValue { state -> CheckedContinuation<Void, Never>? in
            guard resets == nil || resets == state.resets else { return nil }
            state.pending += input(&state.reader)
            guard !state.pending.isEmpty else { return nil }
            defer { state.waiting = nil }
            return state.waiting
        }
        waiting?.resume()
    }

    // MARK: The application

    /// The next event; `nil` at the end.
    /// - Parameters:
    ///   - page: reads a page of the log.
    ///   - onBegin: called with the position at which it begins, once that is known.
    func next(
        page: (LogPosition) async throws -> (items: [ChatEvent], hasMore: Bool),
        onBegin: (LogPosition) async throws -> Void, random: RandomSource
    ) async throws -> ChatEvent? {
        apply { $0.next() }
        var progress = Progress()
        while true {
            guard !Task.isCancelled else { return nil }
            guard let action = state.withLockedValue({ $0.pending.isEmpty ? nil : $0.pending.removeFirst() }) else {
                await wait()
                continue
            }
            switch action {
            case .begin(let position): try await onBegin(position)
            case .give(let event): return event
            case .done: return nil
            case .failed(let code):
                if let error = progress.lastError, error.code == code { throw error }
                throw ChatError(code, "The server has another log than the position is of")
            case .getEvents(let position): try await readPage(at: position, page: page, progress: &progress)
            case .retry:
                let asked = progress.lastError?.retryAfterMilliseconds.map { min($0, RetryBackoff.longestAsked) }
                let pause = asked ?? RetryBackoff.pause(attempt: progress.attempts, random: random) + 20
                progress.attempts += 1
                endPause(after: pause)
            }
        }
    }

    /// Ends a pause of the reader. Live events, and the end of the room, do not wait for it.
    private func endPause(after milliseconds: Int64) {
        Task { [weak self] in
            try? await Task.sleep(for: .milliseconds(milliseconds))
            self?.apply { $0.pauseEnded() }
        }
    }

    private func readPage(
        at position: LogPosition, page: (LogPosition) async throws -> (items: [ChatEvent], hasMore: Bool),
        progress: inout Progress
    ) async throws {
        let resets = state.withLockedValue { $0.resets }
        do {
            let (items, hasMore) = try await page(position)
            progress.lastError = nil
            if !items.isEmpty { progress.attempts = 0 }
            apply(since: resets) { $0.page(items, hasMore: hasMore) }
        } catch is CancellationError {
            apply(since: resets) { $0.pageFailed(status: nil, code: nil) }
        } catch {
            let error = error as? ChatError
            progress.lastError = error
            if error?.code == .closed { throw ChatError.closed }
            apply(since: resets) { $0.pageFailed(status: error?.status, code: error?.code) }
        }
    }

    private func wait() async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isNow = state.withLockedValue { state in
                    if !state.pending.isEmpty || Task.isCancelled { return true }
                    state.waiting = continuation
                    return false
                }
                if isNow { continuation.resume() }
            }
        } onCancel: {
            let waiting = state.withLockedValue { state in
                defer { state.waiting = nil }
                return state.waiting
            }
            waiting?.resume()
        }
    }
}

/// The feeds that are in use, by room.
final class EventFeeds: Sendable {
    private let readers = NIOLockedValueBox<Set<String>>([])
    private let feeds = NIOLockedValueBox<[String: [String: EventFeed]]>([:])

    func add(_ feed: EventFeed) { feeds.withLockedValue { $0[feed.roomID, default: [:]][feed.id] = feed } }

    func remove(_ feed: EventFeed) {
        feeds.withLockedValue { feeds in
            feeds[feed.roomID]?[feed.id] = nil
            if feeds[feed.roomID]?.isEmpty == true { feeds[feed.roomID] = nil }
        }
    }

    func of(_ roomID: String) -> [EventFeed] { feeds.withLockedValue { $0[roomID].map { Array($0.values) } ?? [] } }
    var all: [EventFeed] { feeds.withLockedValue { $0.values.flatMap { $0.values } } }

    // MARK: Named readers

    func begin(_ reader: String) { readers.withLockedValue { _ = $0.insert(reader) } }
    func end(_ reader: String) { readers.withLockedValue { _ = $0.remove(reader) } }
    func isReading(_ reader: String) -> Bool { readers.withLockedValue { $0.contains(reader) } }
}
