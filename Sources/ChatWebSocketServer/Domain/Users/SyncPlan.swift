import ChatEvents
import ChatStorage
import CommonUtil

/// What a session of a user is sent when it synchronizes, and where it begins in each room. Pure: no I/O.
struct SyncPlan: Equatable, Sendable {
    /// Where a session begins in a room.
    enum Start: Equatable, Sendable {
        /// After the `lastSeq` of the room that the session is sent.
        case listed
        /// After the room's head, which the client knows by its cursor.
        case head(Seq)
        /// After the client's position, with what is missing since.
        /// - head: the room's head when the membership was read, or that of the room that the session is sent.
        case position(SyncFrame.Position, head: Seq)
        /// The client has another log: after the head, with `room_reset`.
        case reset
        /// Too much is missing: after the head, with `room_skipped`.
        case skip
    }

    /// Whether all rooms are sent, so that what is not among them is not the user's.
    let isAll: Bool
    /// The rooms that are sent in `rooms`, newest activity first.
    let listed: [RoomID]
    /// Rooms that are not the user's.
    let removed: [RoomID]
    /// Every room of the user.
    private(set) var starts: [RoomID: Start]

    /// Makes the plan.
    /// - Parameters:
    ///   - list: the user's rooms, with what changed since the client's cursor.
    ///   - positions: what the logs hold at the positions that the client named; absent for rooms that are not there.
    init(_ request: SyncRequest, list: RoomList, positions: [RoomID: LogPosition]) {
        isAll = list.isAll
        listed = list.entries.lazy.filter { list.isAll || $0.isChanged }.map(\.roomID)
        var starts: [RoomID: Start] = [:]
        starts.reserveCapacity(list.entries.count)
        for entry in list.entries {
            starts[entry.roomID] = Self.start(of: entry, request, list, positions[entry.roomID])
        }
        let unknownRooms = request.rooms.keys.filter { starts[$0] == nil }
        removed = list.removed + Set(unknownRooms).subtracting(list.removed).sorted { $0.rawValue < $1.rawValue }
        self.starts = starts
    }

    /// Notes that the session is sent a room. A head in it that is newer than the list's belongs to what is missing.
    ///
    /// A stream may know the room by this alone: what it is sent up to `caught_up` then reaches the head that it knows.
    mutating func noteSent(_ room: ListedRoom) {
        guard case .position(let position, let head) = starts[room.roomID] else { return }
        starts[room.roomID] = .position(position, head: max(head, room.lastSeq))
    }

    private static func start(
        of entry: RoomList.Entry, _ request: SyncRequest, _ list: RoomList, _ found: LogPosition?
    ) -> Start {
        if request.namesAllRooms {
            if list.cursorState == .setBackOrOld { return .reset }
            if let seq = entry.seqAtCursor {
                // Also where the user joined since then: who left and came back has the log up to the cursor.
                return .position(SyncFrame.Position(seq: min(seq, entry.lastSeq), mark: nil), head: entry.lastSeq)
            }
        }
        guard let named = request.rooms[entry.roomID] else {
            return list.isAll || entry.isChanged ? .listed : .head(entry.lastSeq)
        }
        // The head of the list may be older than the client's position.
        let head = max(entry.lastSeq, found?.head ?? 0)
        guard named.seq <= head, named.mark == nil || named.mark == found?.mark else { return .reset }
        if let maxMissed = request.maxMissed, entry.lastSeq - named.seq > Seq(maxMissed) { return .skip }
        return .position(named, head: entry.lastSeq)
    }
}

/// A room as it is sent to one of its members.
struct ListedRoom: Equatable, Sendable {
    let roomID: RoomID
    /// The head of the room's log when the membership was read.
    let lastSeq: Seq
    /// The mark of that event.
    let mark: EventMark?
    /// The user's read mark.
    let lastReadSeq: Seq
    let json: RoomJSON
}
