import CommonUtil
import PostgresClient

/// A page of a room's history, log or members, read in the statement that also checks the reader's access.
///
/// Between two statements a member could be removed and then see what was posted after the removal. One statement has
/// one snapshot: where it shows the post, it shows the removal, too.
public enum RoomReading<Item: Sendable>: Sendable {
    /// There is no such room.
    case noRoom
    /// The reader may not read the room.
    case hidden
    /// The page.
    case items([Item])

    /// - Parameter rows: of a statement built on ``RoomAccess/isVisible(room:user:)``.
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
    /// A subquery with one row, `is_visible`, or none where there is no such room; for `UserID.installation` every room is
    /// visible. A statement joins what it reads with
    /// `LEFT JOIN LATERAL` under the condition `is_visible`, and selects `is_visible` as its first column.
    /// - Parameters:
    ///   - room: an SQL expression for the room's id.
    ///   - user: an SQL expression for the user's id.
    static func isVisible(room: String, user: String) -> String {
        """
        (
            SELECT type = '\(RoomType.public.rawValue)' OR \(user) = \(UserID.installation.rawValue)::bigint
                OR EXISTS (SELECT FROM room_members WHERE room_id = \(room) AND user_id = \(user)) AS is_visible
            FROM rooms WHERE room_id = \(room)
        )
        """
    }
}

extension RoomRepository {
    /// Reads a page of a room, which is made on first use where `isOpen` (``withOpenRoom(_:isOpen:_:)``).
    /// - Throws: `room_not_found` also for a room that is hidden from this reader.
    public func read<Item>(
        in roomID: RoomID, isOpen: Bool, _ read: () async throws -> RoomReading<Item>
    ) async throws -> [Item] {
        let reading = try await withOpenRoom(roomID, isOpen: isOpen) {
            let reading = try await read()
            if case .noRoom = reading { return RoomReading<Item>?.none }
            return reading
        }
        guard case .items(let items) = reading else { throw ChatError(.roomNotFound) }
        return items
    }
}
