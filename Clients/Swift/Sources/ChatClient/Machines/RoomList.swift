/// The user's rooms, newest activity first, with their unread counts. Pure: no I/O.
struct RoomList: Sendable {
    /// The outcome of an event. `unsure`: applied, but only the server knows whether the message that it deletes was
    /// unread; see ``RoomList/deleted(_:at:)``.
    enum Outcome: Sendable { case taken, unsure, seen, gap, unknown }

    /// An event that deleted a message.
    struct Deletion: Sendable {
        let roomID: String
        let messageID: Int64
        /// The event's `seq`.
        let seq: Int64
    }

    private struct Row: Sendable {
        var room: RoomInfo
        /// The sort key. Times have one textual form, so they compare as texts.
        var activity: String
        /// Messages of others, to count those that came after a count of the server.
        var counted: [(seq: Int64, id: Int64, isDeleted: Bool)] = []
        var countedThrough: Int64

        /// Whether the count is exact: a thousand stands for more.
        var isCounting: Bool { room.unreadCount > 0 && room.unreadCount < maximumUnread }
    }

    private static let maximumUnread: Int64 = 1000
    private static let maximumCounted = 200

    /// The last cursor up to which everything was applied.
    var cursor: String?
    private var rows: [String: Row] = [:]
    var userID: Int64?
    /// Rooms that were named since the first piece of a list of all rooms.
    private var named: Set<String>?

    init(userID: Int64? = nil) { self.userID = userID }

    /// Newest activity first.
    var rooms: [RoomInfo] {
        rows.values.sorted {
            $0.activity == $1.activity ? $0.room.roomID > $1.room.roomID : $0.activity > $1.activity
        }.map(\.room)
    }

    func room(_ id: String) -> RoomInfo? { rows[id]?.room }

    /// The head of the room's log, as far as events were applied.
    func head(_ id: String) -> LogPosition? { rows[id]?.room.head }

    // MARK: Keeping

    var kept: JSONObject {
        var object: JSONObject = [
            "rooms": .array(
                rows.values.map { ["room": .object($0.room.json), "activity": .string($0.activity)] })
        ]
        if let cursor { object["cursor"] = .string(cursor) }
        return object
    }

    /// - Parameter kept: one of another form is absent as a whole: after its cursor the server sends changes alone, so
    ///   a room that is missing here would stay away.
    mutating func restore(_ kept: JSONValue) {
        guard let rows = kept["rooms"]?.array else { return }
        let rooms = rows.compactMap { $0["room"]?.object.flatMap(RoomInfo.init(json:)) }
        guard rooms.count == rows.count, rooms.allSatisfy({ LogPosition.isValid($0.json["lastSeq"]?.integer) }) else {
            return
        }
        cursor = kept["cursor"]?.string
        for (row, room) in zip(rows, rooms) { _ = put(room, activity: row["activity"]?.string ?? "") }
    }

    // MARK: Frames

    /// A new connection: a list of all rooms that was not finished says nothing.
    mutating func begin() { named = nil }

    /// A `rooms` frame.
    /// - Returns: the ids of rooms that are no longer the user's.
    mutating func rooms(_ frame: JSONObject) -> [String] {
        if frame["isAll"]?.bool == true, named == nil { named = [] }
        var activity = ""
        for value in (frame["rooms"]?.array ?? []).reversed() {
            guard let room = value.object.flatMap(RoomInfo.init(json:)) else { continue }
            activity = max(activity, put(room, activity: activity))
            named?.insert(room.roomID)
        }
        var gone = (frame["removed"]?.array ?? []).compactMap(\.string).filter { removed($0) }
        if frame["isLast"]?.bool == true, let all = named {
            for id in rows.keys.sorted() where !all.contains(id) {
                _ = removed(id)
                gone.append(id)
            }
            named = nil
        }
        return gone
    }

    mutating func added(_ room: RoomInfo) {
        _ = put(room)
        named?.insert(room.roomID)
    }

    /// Returns whether it was there.
    mutating func removed(_ id: String) -> Bool { rows.removeValue(forKey: id) != nil }

    /// The log was set back.
    mutating func reset(_ room: RoomInfo) {
        rows[room.roomID] = nil
        added(room)
    }

    /// The log continues after `position`: counts up to there come from the server.
    mutating func skipped(_ id: String, _ position: LogPosition) {
        guard let row = rows[id], row.room.lastSeq < position.seq else { return }
        rows[id]?.room.json["lastSeq"] = JSONValue(position.seq)
        rows[id]?.room.json["mark"] = position.mark.map(JSONValue.string)
    }

    /// The room was read on some device of the user, or a setting has changed. Counts are as of `lastSeq`.
    mutating func changed(_ frame: JSONObject) {
        guard let id = frame["roomId"]?.string, var row = rows[id] else { return }
        let through = frame["lastSeq"]?.integer ?? 0
        let read = max(frame["lastReadSeq"]?.integer ?? 0, row.room.lastReadSeq)
        for (name, value) in frame.members where !["eventType", "roomId", "lastSeq"].contains(name) {
            row.room.json[name] = value
        }
        if let count = frame["unreadCount"]?.integer {
            let after = row.counted.count { $0.seq > through && $0.seq > read && !$0.isDeleted }
            row.room.json["unreadCount"] = JSONValue(min(count &+ Int64(after), Self.maximumUnread))
            row.countedThrough = max(row.countedThrough, through)
        }
        if frame["lastReadSeq"] != nil { row.room.json["lastReadSeq"] = JSONValue(read) }
        rows[id] = row
    }

    /// The room was marked as read here. Messages after `seq` are counted by the server, unless all of them are here.
    mutating func read(_ id: String, through seq: Int64) {
        guard let row = rows[id], seq > row.room.lastReadSeq else { return }
        let later = Int64(row.counted.count { $0.seq > seq && !$0.isDeleted })
        rows[id]?.room.json["lastReadSeq"] = JSONValue(seq)
        rows[id]?.room.json["unreadCount"] = JSONValue(
            seq >= row.room.lastSeq ? 0 : min(later, row.room.unreadCount))
    }

    /// An event of a room's log.
    mutating func event(_ event: ChatEvent) -> Outcome {
        let id = event.roomID
        guard var row = rows[id] else { return .unknown }
        let (seq, lastSeq) = (event.seq, row.room.lastSeq)
        guard seq > lastSeq else { return .seen }
        guard seq == lastSeq + 1 else { return .gap }
        row.room.json["lastSeq"] = JSONValue(seq)
        row.room.json["mark"] = event.mark.map(JSONValue.string)
        var isActivity = true
        switch event {
        case .message(let message): apply(message, to: &row)
        case .messageEdited(let message), .messageDeleted(let message):
            isActivity = false
            if let last = row.room.lastMessage, last.messageID == message.messageID {
                row.room.json["lastMessage"] = .object(last.changed(by: message).json)
            }
        case .memberJoined: row.room.json["memberCount"] = JSONValue(row.room.memberCount &+ 1)
        case .memberLeft: row.room.json["memberCount"] = JSONValue(row.room.memberCount &- 1)
        case .memberRoleChanged(let change):
            if change.role == "owner" { row.room.json["ownerId"] = JSONValue(change.userID) }
        case .roomUpdated(let change): row.room.json["name"] = .string(change.name)
        case .roomArchived(let change): row.room.json["archivedAt"] = .string(change.at)
        case .unknown: break
        }
        if isActivity {
            let time = event.json["sentAt"]?.string ?? event.json["at"]?.string ?? ""
            row.activity = max(row.activity, time)
        }
        rows[id] = row
        guard case .messageDeleted(let message) = event else { return .taken }
        return uncount(message)
    }

    /// A message was deleted.
    /// - Parameters:
    ///   - deletion: the event that says so.
    ///   - seq: the place that the message had in the log.
    mutating func deleted(_ deletion: Deletion, at seq: Int64) {
        guard let row = rows[deletion.roomID], deletion.seq > row.countedThrough, seq > row.room.lastReadSeq,
            row.isCounting
        else { return }
        rows[deletion.roomID]?.room.json["unreadCount"] = JSONValue(row.room.unreadCount - 1)
    }

    private func apply(_ message: Message, to row: inout Row) {
        row.room.json["lastMessage"] = .object(message.withoutEventType.json)
        if message.senderID == userID {
            // A message of this user means that the room is read up to it.
            row.room.json["lastReadSeq"] = JSONValue(message.seq)
            row.room.json["unreadCount"] = 0
            row.counted = []
        } else {
            if message.seq > row.countedThrough, !message.isDeleted {
                row.room.json["unreadCount"] = JSONValue(min(row.room.unreadCount + 1, Self.maximumUnread))
            }
            row.counted.append((message.seq, message.messageID, message.isDeleted))
            if row.counted.count > Self.maximumCounted { row.counted.removeFirst() }
        }
    }

    /// A message that counted as unread and was deleted counts no more. An edit that says so is followed by the
    /// deletion.
    private mutating func uncount(_ change: Message) -> Outcome {
        guard let row = rows[change.roomID] else { return .taken }
        let deletion = Deletion(roomID: change.roomID, messageID: change.messageID, seq: change.seq)
        if let index = row.counted.firstIndex(where: { $0.id == change.messageID }) {
            rows[change.roomID]?.counted.remove(at: index)
            if !row.counted[index].isDeleted { deleted(deletion, at: row.counted[index].seq) }
            return .taken
        }
        return change.senderID != userID && change.seq > row.countedThrough && row.isCounting ? .unsure : .taken
    }

    /// Returns the room's activity.
    private mutating func put(_ room: RoomInfo, activity: String = "") -> String {
        let own = max(room.json["createdAt"]?.string ?? "", room.lastMessage?.sentAt ?? "")
        let latest = max(own, activity, rows[room.roomID]?.activity ?? "")
        rows[room.roomID] = Row(room: room, activity: latest, countedThrough: room.lastSeq)
        return latest
    }
}
