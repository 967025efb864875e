import CommonUtil

/// The id of a stored snapshot of the database: 63 random bits.
///
/// A counter would assign an id twice after a restored backup, and a cursor from before would name another snapshot.
public struct ListSnapshotID: NumericID {
    public static let largest = Int64.max
    public let rawValue: Int64
    public init(_ rawValue: Int64) { self.rawValue = rawValue }

    /// Creates an id that no other snapshot has.
    static func random() -> ListSnapshotID { ListSnapshotID(.random(in: 1...Int64.max)) }
}

/// A position in the changes of a user's list of rooms: all that is visible in a snapshot of the database has been
/// received. Opaque to clients.
///
/// Many users share a snapshot. So a cursor is as short with 10,000 rooms as with one, and a database that was set back
/// no longer knows it.
public struct RoomListCursor: Hashable, Sendable {
    /// The length of the text, at most.
    public static let maximumLength = 100

    /// The name among the cursors of lists. Another form of cursor needs another name.
    private static let list = "room list"

    /// The user whose list it is.
    public let userID: UserID
    /// The snapshot up to which changes have been received.
    public let snapshotID: ListSnapshotID

    /// Creates the cursor of a user at a snapshot.
    /// - Parameter snapshotID: from ``RoomListRepository/takeSnapshot()``, taken before what the user received was read.
    public init(userID: UserID, snapshotID: ListSnapshotID) {
        self.userID = userID
        self.snapshotID = snapshotID
    }

    /// Reads a cursor. Whether the database still knows its snapshot is found by ``RoomListRepository/list(of:since:)``.
    /// - Returns: `nil` for a text that is not one. A cursor of another user is one.
    public init?(text: String) {
        guard text.utf8.count <= Self.maximumLength,
            let parts = try? Cursor(text: text, of: Self.list, partCount: 2).parts,
            let userID = UserID(text: parts[0]), let snapshotID = ListSnapshotID(text: parts[1])
        else { return nil }
        self.init(userID: userID, snapshotID: snapshotID)
    }

    /// The text for clients: `A–Z a–z 0–9 - _`, at most ``maximumLength`` of them.
    public var text: String { Cursor(of: Self.list, [userID.description, snapshotID.description]).text }
}
