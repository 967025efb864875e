import CommonUtil
import PostgresClient

/// Marks rooms read, for REST and for sockets.
public struct ReadMarks: Sendable {
    private let rooms: RoomRepository
    private let authMode: AuthMode

    /// - Parameter authMode: in `trusted` mode rooms are made on first use and public ones are open.
    public init(rooms: RoomRepository, authMode: AuthMode) {
        self.rooms = rooms
        self.authMode = authMode
    }

    /// Marks a room read up to a `seq`, only ever forward and never beyond its head.
    ///
    /// In `trusted` mode public rooms are open: the mark of a non-member is not stored, but it is published.
    /// - Throws: `room_not_found` also for a room that is hidden from this user; `not_a_member`.
    public func mark(_ roomID: RoomID, by userID: UserID, upTo seq: Seq) async throws -> ReadMark {
        let isOpen = authMode == .trusted
        let outcome = try await rooms.withOpenRoom(roomID, isOpen: isOpen) {
            try await rooms.markRead(roomID, by: userID, upTo: seq)
        }
        switch outcome {
        case .marked(let mark): return mark
        case .notAMember(.public, let head):
            guard isOpen else { throw ChatError(.notAMember) }
            let lastReadSeq = min(seq, head)
            return ReadMark(lastReadSeq: lastReadSeq, hasMoved: lastReadSeq > 0)
        case .notAMember, nil: throw ChatError(.roomNotFound)
        }
    }
}

/// How far a user has read a room.
public struct ReadMark: Equatable, Sendable {
    /// The last `seq` that is read.
    public let lastReadSeq: Seq
    /// Whether the mark has moved and is to be published.
    public let hasMoved: Bool
    /// The user's version with this move; `nil` if the mark has not moved, or is not stored.
    public let version: Int64?

    /// Describes a read mark.
    public init(lastReadSeq: Seq, hasMoved: Bool, version: Int64? = nil) {
        self.lastReadSeq = lastReadSeq
        self.hasMoved = hasMoved
        self.version = version
    }
}

/// The result of marking a room that exists.
enum ReadOutcome: Equatable, Sendable {
    case marked(ReadMark)
    case notAMember(RoomType, head: Seq)
}

/// A member's read mark as PostgreSQL stores it.
///
/// Posting marks a room read up to the post, which the message row already implies. So `last_read_seq` may be behind
/// the member's own posts, by ``window`` at most, and a post writes it only where it would fall further behind.
/// Statements read a mark by ``sql(of:user:)``, which looks through no more than the window.
///
/// Its index has no deleted messages: deleting a message moves the mark of its sender. Posts from before the membership
/// (`joined_seq`) do not count.
enum StoredMark {
    static let window = 256

    /// The mark as an SQL expression.
    /// - Parameters:
    ///   - row: a row with the `room_id`, `last_read_seq` and `joined_seq` of `room_members`.
    ///   - user: the member's id; the row's `user_id` where it is not given.
    static func sql(of row: String, user: String? = nil) -> String {
        """
        greatest(\(row).last_read_seq, (
            SELECT seq FROM messages
            WHERE room_id = \(row).room_id AND sender_id = \(user ?? "\(row).user_id") AND NOT is_deleted
                AND seq > greatest(\(row).last_read_seq, \(row).joined_seq)
                AND seq <= \(row).last_read_seq + \(window)
            ORDER BY seq DESC LIMIT 1
        ))
        """
    }
}
