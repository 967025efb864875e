import CommonUtil

/// The rooms of a user as of one moment, with what changed since a cursor.
public struct RoomList: Equatable, Sendable {
    /// What became of the cursor that was given.
    public enum CursorState: Equatable, Sendable {
        /// There was none, or it is another user's.
        case none
        /// What changed since is known.
        case valid
        /// It is of a time that was set back (a restored backup, a failover that lost commits), or older than 30 days.
        case setBackOrOld
    }

    /// A room of the user.
    public struct Entry: Equatable, Sendable {
        public let roomID: RoomID
        /// The head of the room's log.
        public let lastSeq: Seq
        /// The user's read mark as it is stored, which may be behind the user's own posts (``StoredMark``).
        public let lastReadSeq: Seq
        /// Whether the room may have changed for this user: events, membership, read mark, or name.
        public let isChanged: Bool
        /// The head of the room's log as of the cursor, or lower where messages were edited since. `nil` if it was
        /// not requested, or there is no valid cursor.
        public let seqAtCursor: Seq?

        /// Describes a room.
        public init(
            roomID: RoomID, lastSeq: Seq, lastReadSeq: Seq, isChanged: Bool, seqAtCursor: Seq?
        ) {
            self.roomID = roomID
            self.lastSeq = lastSeq
            self.lastReadSeq = lastReadSeq
            self.isChanged = isChanged
            self.seqAtCursor = seqAtCursor
        }
    }

    /// The user's version at that moment; see ``RoomListRepository/versions(of:)``.
    public let version: Int64
    /// What became of the cursor.
    public let cursorState: CursorState
    /// All rooms of the user, newest activity first.
    public let entries: [Entry]
    /// Rooms that the user has left, or was removed from, since a valid cursor.
    public let removed: [RoomID]

    /// Describes a list.
    public init(version: Int64, cursorState: CursorState, entries: [Entry], removed: [RoomID]) {
        self.version = version
        self.cursorState = cursorState
        self.entries = entries
        self.removed = removed
    }

    /// Whether all rooms are to be sent as changed, and those that are not in the list are no longer the user's.
    public var isAll: Bool { cursorState != .valid }
}

/// How far a user has read a room, for the user's own devices.
public struct RoomReadState: Equatable, Sendable {
    public let roomID: RoomID
    /// The user's read mark.
    public let lastReadSeq: Seq
    /// Messages of others after `lastReadSeq`, up to the requested `seq`, deleted ones not counted; 1,000 stands for
    /// more than 999.
    public let unreadCount: Int
}

/// The memberships of a user as of one moment.
public struct UserMemberships: Equatable, Sendable {
    /// A room that the user is a member of.
    public struct Membership: Equatable, Sendable {
        public let roomID: RoomID
        /// As ``RoomList/Entry/lastReadSeq``.
        public let lastReadSeq: Seq
        /// The `seq` after which the membership began; 0 for the room's first members.
        public let joinedSeq: Seq
    }

    /// The user's version at that moment.
    public let version: Int64
    /// In no particular order.
    public let rooms: [Membership]

    /// Those of a user who never had any.
    public static let none = UserMemberships(version: 0, rooms: [])
}
