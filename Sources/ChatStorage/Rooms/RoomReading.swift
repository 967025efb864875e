import CommonUtil
import PostgresClient

/// A stretch of a room's history, log or members, read in the statement that also tells whether the reader may see it.
///
/// Asked one after the other, a member could be removed in between and be told what was posted after that. One statement
/// has one snapshot: where it shows the post, it shows the removal, too.
public enum RoomReading<Item: Sendable>: Sendable {
    case noRoom
    /// There is such a room, but not for this reader.
    case hidden
    case items([Item])

    /// - Parameter rows: those of a statement that begins as ``RoomAccess/isVisible(room:user:)`` says.
    init(_ rows: PostgresRows, _ item: (PostgresRow) throws -> Item?) throws {
        guard let first = rows.first else {
            self = .noRoom
            return
        }
        self = try first.decode(column: 0, as: Bool.self) ? .items(try rows.compactMap { try item($0) }) : .hidden
    }
}

extension RoomReading: Equatable where Item: Equatable {}

extension RoomAccess {
    /// One row with `is_visible`, or none where there is no such room. What is read stands in a `LEFT JOIN LATERAL`
    /// behind it, with `is_visible` as a condition, and the first column is `is_visible`.
    /// - Parameters:
    ///   - room: an expression, as is `user`.
    static func isVisible(room: String, user: String) -> String {
        """
        (
            SELECT type = '\(RoomType.public.rawValue)'
                OR EXISTS (SELECT FROM room_members WHERE room_id = \(room) AND user_id = \(user)) AS is_visible
            FROM rooms WHERE room_id = \(room)
        )
        """
    }
}

extension RoomRepository {
    /// Reads in a room, which in `trusted` mode (`isOpen`) is made where it is not there.
    /// - Throws: `room_not_found` also for a room that is not this reader's to know of.
    public func read<Item>(
        in roomID: RoomID, isOpen: Bool, _ read: () async throws -> RoomReading<Item>
    ) async throws -> [Item] {
        var reading = try await read()
        if case .noRoom = reading, isOpen {
            try await makeOpenRoom(roomID)
            reading = try await read()
        }
        guard case .items(let items) = reading else { throw ChatError(.roomNotFound) }
        return items
    }
}
