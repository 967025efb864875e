import ChatEvents
import ChatStorage
import CommonUtil

/// Pages of the feed of changes for readers that are at the same place, as webhooks mostly are: a page is read once for all
/// of them, and kept for a moment for those that come a little later. So what messages hold in it can be that much older.
actor SharedChangePages {
    private struct Key: Hashable {
        let place: ChangePosition
        let roomIDs: Set<RoomID>?
        let types: Set<EventType>?
        let limit: Int
    }

    private struct Entry {
        let reading: Task<ChangePage, any Error>
        /// Until when it is kept; `nil` while it is being read.
        var end: ContinuousClock.Instant?
    }

    /// Pages that are kept, each of 1 MiB at most.
    private static let maximumCount = 16

    private let lifetime: Duration
    private let read: @Sendable (ChangeService.Request) async throws -> ChangePage
    private var entries: [Key: Entry] = [:]

    /// - Parameters:
    ///   - lifetime: how long a page is kept after it was read.
    ///   - read: reads a page, after a wait where there is nothing to read.
    init(
        lifetime: Duration = .milliseconds(100),
        read: @escaping @Sendable (ChangeService.Request) async throws -> ChangePage
    ) {
        self.lifetime = lifetime
        self.read = read
    }

    /// The page after a cursor, without an end of its own. A reader that joins another one waits as long as that one.
    /// - Throws: what reading it throws.
    func page(after place: ChangePosition, _ filter: ChangeFilter, limit: Int, wait: Duration) async throws
        -> ChangePage
    {
        let key = Key(place: place, roomIDs: filter.roomIDs, types: filter.types, limit: limit)
        let now = ContinuousClock.now
        entries = entries.filter { $0.value.end.map { $0 > now } ?? true }
        if let entry = entries[key] { return try await entry.reading.value }
        // Of its own, since those who have joined go on when the first one is cancelled.
        let reading = Task { [read] in
            try await read(.init(start: .after(place), filter: filter, limit: limit, wait: wait))
        }
        entries[key] = Entry(reading: reading)
        do {
            let page = try await reading.value
            let isKept = !page.isEmpty && entries.values.count { $0.end != nil } < Self.maximumCount
            if isKept { entries[key]?.end = .now + lifetime } else { entries[key] = nil }
            return page
        } catch {
            entries[key] = nil
            throw error
        }
    }
}
