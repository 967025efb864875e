import ChatEvents
import ChatStorage
import CommonUtil

/// The use case of reading the feed of changes.
struct ChangeService: Sendable {
    /// Bounds of the work for one page.
    struct Bounds {
        /// Runs that are read at once.
        var runs = 500
        /// Events that are read in one step if only some types are wanted.
        var filteredEvents = 2_000
        /// The same if messages are not wanted, whose contents are then not read.
        var filteredEventsWithoutMessages = 20_000
        /// Readings of events for one page.
        var reads = 20
    }

    /// While a reader waits: from one look at whether it still may to the next.
    private static let checkInterval = Duration.seconds(1)

    let repository: ChangeRepository
    let watch: ChangeFeedWaiter
    var bounds = Bounds()

    /// What a reader asks for.
    struct Request {
        let start: ChangeStart
        let filter: ChangeFilter
        /// Events, 1–1000.
        let limit: Int
        /// The longest wait for the first event.
        let wait: Duration
        /// The last place that is wanted; `nil` for no such bound.
        var end: ChangePosition?
    }

    /// Reads a page. If there is nothing that the reader wants, waits for it.
    /// - Parameters:
    ///   - mayWait: asked every second while it waits. `false` ends the wait, as the end of its time does; its error ends the
    ///     call.
    ///   - waiting: called around each wait, for callers that count those who wait.
    /// - Throws: `cursor_unknown`, where the feed has no such place; the errors of `mayWait`.
    func changes(
        _ request: Request, mayWait: @escaping @Sendable () async throws -> Bool = { true },
        waiting: @Sendable (@Sendable () async throws -> Bool) async throws -> Bool = { try await $0() }
    ) async throws -> ChangePage {
        let deadline = ContinuousClock.now + request.wait
        var page = ChangePage(after: try await repository.place(request.start), limit: request.limit, end: request.end)
        var checked = ContinuousClock.now
        while true {
            let head = try await read(&page, request.filter)
            guard page.isEmpty, !page.hasMore, ContinuousClock.now < deadline else { return page }
            let hasMoved = try await waiting {
                try await waits(beyond: head.run, until: deadline, mayWait)
            }
            guard hasMoved else { return page }
            // Where the feed moves all the time, no wait lasts until the next check.
            if ContinuousClock.now - checked >= Self.checkInterval {
                guard try await goesOn(mayWait) else { return page }
                checked = .now
            }
        }
    }

    /// - Throws: `CancellationError` if the task is cancelled; the errors of `mayWait`.
    private func goesOn(_ mayWait: @Sendable () async throws -> Bool) async throws -> Bool {
        try Task.checkCancellation()
        return try await mayWait()
    }

    private func waits(
        beyond run: Int64, until deadline: ContinuousClock.Instant, _ mayWait: @Sendable () async throws -> Bool
    ) async throws -> Bool {
        while true {
            let slice = min(deadline, .now + Self.checkInterval)
            switch await watch.wait(beyond: run, until: slice) {
            case .moved: return true
            case .draining: return false
            case .unchanged:
                guard try await goesOn(mayWait), slice != deadline else { return false }
            }
        }
    }

    /// Fills the page with what there is now.
    /// - Returns: the end of the feed, as far as it was read.
    private func read(_ page: inout ChangePage, _ filter: ChangeFilter) async throws -> ChangePosition {
        var reads = 0
        while true {
            guard
                let found = try await repository.runs(after: page.next, in: filter.roomIDs, limit: bounds.runs)
            else { throw ChatError(.cursorUnknown) }
            // In each round the page moves on or is full, and it ends with the runs or with the bound.
            while !page.isFull, reads < bounds.reads {
                let wanted = page.wanted
                let window = ChangeWindow(of: found.runs, after: page.next, limit: size(filter, wanted))
                guard let end = window.end else { break }
                let items = try await repository.items(of: window, types: filter.types, limit: wanted)
                reads += 1
                for item in items { page.append(item) }
                if items.count < wanted || filter.types == nil { page.advance(to: end) }
            }
            let isRead = ChangeWindow(of: found.runs, after: page.next, limit: 1).runs.isEmpty
            if isRead, !found.isFull { page.advance(to: found.head) }
            page.hasMore = found.head.isAfter(page.next)
            guard isRead, found.isFull, !page.isFull, reads < bounds.reads else { return found.head }
        }
    }

    private func size(_ filter: ChangeFilter, _ wanted: Int) -> Int {
        guard let types = filter.types else { return wanted }
        return types.contains(.message) ? bounds.filteredEvents : bounds.filteredEventsWithoutMessages
    }
}

extension ChangeRepository {
    /// The place where a reader begins. That of a cursor is not looked up.
    func place(_ start: ChangeStart) async throws -> ChangePosition {
        switch start {
        case .begin: try await bounds().begin
        case .now: try await bounds().head
        case .after(let place): place
        }
    }
}
