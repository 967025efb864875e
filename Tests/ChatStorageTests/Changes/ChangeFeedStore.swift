import ChatEvents
import CommonUtil
import Testing

@testable import ChatStorage

/// The feed of changes, appended and read by tests.
extension Store {
    var sequence: ChangeSequenceRepository { ChangeSequenceRepository(ChatDatabase(client)) }
    var changes: ChangeRepository { ChangeRepository(ChatDatabase(client)) }

    /// Appends what all rooms have, as the holder of the lease.
    @discardableResult
    func appendAll(holder: Int64 = 1) async throws -> Int64? {
        try #require(try await sequence.acquire(holder, for: .seconds(30)))
        let pending = try await sequence.pending(after: nil, limit: 100_000).pending
        return try await sequence.append(pending, holder: holder, extendingBy: .seconds(30))
    }

    /// Reads everything after a place, `size` events at a time.
    func readChanges(
        after place: ChangePosition? = nil, in rooms: Set<RoomID>? = nil, types: Set<EventType>? = nil, size: Int = 100
    ) async throws -> [ChangeRepository.Item] {
        var place = try await start(place)
        var items: [ChangeRepository.Item] = []
        while true {
            let page = try #require(try await changes.runs(after: place, in: rooms, limit: size + 1))
            let window = ChangeWindow(of: page.runs, after: place, limit: size)
            guard let end = window.end else { return items }
            items += try await changes.items(of: window, types: types, limit: size)
            place = end
        }
    }

    private func start(_ place: ChangePosition?) async throws -> ChangePosition {
        if let place { return place }
        return try await changes.bounds().begin
    }
}

extension ChangeRepository.Item {
    /// The room and the `seq`, for comparisons.
    var name: String { "\(change.roomID)/\(change.seq)" }
}
