/// What a careful client of `/ws/user` keeps: its rooms, how far it has the log of each, and the cursor of its list of
/// rooms. Frames go in, what follows for the client comes out. It also notes where a server breaks the order of the
/// contract.
struct UserSocketState {
    typealias Place = UserCall.Place

    /// A consequence of a frame.
    enum Step: Equatable {
        /// To be sent, in this order.
        case send([String])
        /// The log of a room begins after this place.
        case began(String, Place)
        /// The event belongs to the room's log.
        case event(String)
        /// What is known of the room's log is void; it goes on after this place.
        case reset(String, Place)
        /// Events up to this place are left out.
        case skipped(String, Place)
        /// The room is no longer the user's. `wasLive`: the session was live in it.
        case ended(String, reason: String, wasLive: Bool)
        /// All is live from here on.
        case synced
        /// The server broke the contract.
        case violation(String)
    }

    private enum Phase { case opening, listing, catchingUp, live }

    /// `reason` of a room that a list of rooms no longer has.
    static let unlisted = "unlisted"

    private let maxMissed: Int?
    /// Whether the frames come by `/sse/user`. There the server knows the client's places by the cursor, and after a
    /// reconnect sends again what came after that.
    private let isStream: Bool
    /// Whether it compares marks and takes notice of a `room_reset`. Without it the client is one that no server has
    /// informed which log it reads.
    private let checksMarks: Bool
    /// The rooms of the user, and how far it has each.
    private(set) var places: [String: Place] = [:]
    private(set) var cursor: String?
    private var phase = Phase.opening
    private var hadCursor = false
    private var isAll = false
    /// Rooms that this connection's list, or a `room_added` since, has named.
    private var listed: Set<String> = []
    /// Rooms named in the `sync` that may still be behind. If nothing is missing the server sends nothing, so that is
    /// known only with `synced`.
    private var named: Set<String> = []
    /// Those of them with an event since the `sync`.
    private var behind: Set<String> = []
    /// Rooms whose event of the user's own removal has been sent to the live session.
    private var left: Set<String> = []

    init(maxMissed: Int? = nil, checksMarks: Bool = true, isStream: Bool = false) {
        self.maxMissed = maxMissed
        self.isStream = isStream
        self.checksMarks = checksMarks
    }

    var isLive: Bool { phase == .live }

    /// Begins a new connection; what the client keeps stays.
    mutating func reconnect() {
        phase = .opening
        listed = []
        behind = []
        named = []
        left = []
        isAll = false
    }

    /// Takes any frame but an event of a room's log.
    mutating func take(_ frame: UserFrame) -> [Step] {
        switch frame.eventType {
        case "ready": ready()
        case "rooms": list(frame)
        case "caught_up": caughtUp(frame)
        case "room_reset": reset(frame)
        case "room_skipped": skip(frame)
        case "room_added": added(frame)
        case "room_removed": removed(frame)
        case "synced": synced(frame)
        case "cursor": keep(frame.cursor)
        default: []
        }
    }

    /// Takes an event of a room's log.
    /// - Parameter removesUser: whether it is the `member_left` of the socket's user.
    mutating func event(of room: String, at place: Place, removesUser: Bool) -> [Step] {
        guard places[room] != nil else { return [.violation("an event of a room that is not the user's")] }
        var steps: [Step] = []
        if phase == .opening || phase == .listing && !named.contains(room) && !listed.contains(room) {
            steps.append(.violation("an event before its room was listed"))
        }
        if isStream, let last = places[room], place.seq <= last.seq {
            if place.seq == last.seq, place.mark != last.mark {
                steps.append(.violation("an event that was sent again with another mark"))
            }
            behind.insert(room)
            return steps
        }
        if left.contains(room) { steps.append(.violation("an event after the user had left its room")) }
        places[room] = place
        if named.contains(room) { behind.insert(room) } else if removesUser { left.insert(room) }
        return steps + [.event(room)]
    }

    // MARK: From the connection to `synced`

    private mutating func ready() -> [Step] {
        guard phase == .opening else { return [.violation("a second ready")] }
        phase = .listing
        hadCursor = cursor != nil
        named = Set(places.keys)
        guard !isStream else { return [] }
        let rooms = checksMarks ? places : places.mapValues { Place($0.seq) }
        return [.send(UserCall.sync(cursor: cursor, rooms: rooms, maxMissed: maxMissed))]
    }

    private mutating func list(_ frame: UserFrame) -> [Step] {
        guard phase == .listing, let rooms = frame.rooms else { return [.violation("rooms out of turn")] }
        var steps: [Step] = []
        isAll = frame.isAll ?? false
        if rooms.count > 100 { steps.append(.violation("more than 100 rooms in a piece")) }
        if !isAll, !hadCursor { steps.append(.violation("a part of the rooms without a cursor")) }
        for room in rooms {
            listed.insert(room.roomId)
            guard places[room.roomId] == nil else { continue }
            steps.append(begin(room))
            // A stream is resumed in all rooms, also in those that it does not know: what came since its cursor is sent again.
            if isStream, hadCursor { named.insert(room.roomId) }
        }
        for room in frame.removed ?? [] { steps += end(room, Self.unlisted) }
        guard frame.isLast == true else { return steps }
        if isAll {
            for room in places.keys.sorted() where !listed.contains(room) { steps += end(room, Self.unlisted) }
        }
        phase = .catchingUp
        return steps
    }

    private mutating func caughtUp(_ frame: UserFrame) -> [Step] {
        guard let room = frame.roomId, let seq = frame.seq, let place = places[room] else {
            return [.violation("caught_up of a room that is not the user's")]
        }
        var steps: [Step] = []
        if phase == .live || phase == .opening { steps.append(.violation("caught_up out of turn")) }
        if place.seq != seq { steps.append(.violation("caught_up at another place than the last event")) }
        if let mark = frame.mark, let last = place.mark, checksMarks, seq == place.seq, mark != last {
            steps.append(.violation("caught_up with another mark than the last event"))
        }
        if behind.remove(room) == nil { steps.append(.violation("caught_up where nothing was missing")) }
        named.remove(room)
        return steps
    }

    private mutating func reset(_ frame: UserFrame) -> [Step] {
        guard let room = frame.roomId, let seq = frame.seq, places[room] != nil else {
            return [.violation("room_reset of a room that is not the user's")]
        }
        named.remove(room)
        behind.remove(room)
        left.remove(room)
        guard checksMarks else { return [] }
        let place = Place(seq, frame.mark)
        places[room] = place
        return [.reset(room, place)]
    }

    private mutating func skip(_ frame: UserFrame) -> [Step] {
        guard let room = frame.roomId, let seq = frame.seq, let last = places[room] else {
            return [.violation("room_skipped of a room that is not the user's")]
        }
        named.remove(room)
        behind.remove(room)
        let place = Place(seq, frame.mark)
        places[room] = place
        guard let maxMissed, seq - last.seq > maxMissed else {
            return [.violation("room_skipped although few enough events were missing"), .skipped(room, place)]
        }
        return [.skipped(room, place)]
    }

    private mutating func synced(_ frame: UserFrame) -> [Step] {
        var steps: [Step] = []
        if phase != .catchingUp { steps.append(.violation("synced out of turn")) }
        if frame.cursor == nil { steps.append(.violation("synced without a cursor")) }
        phase = .live
        behind = []
        named = []
        return steps + keep(frame.cursor) + [.synced]
    }

    /// Keeps a cursor for the next connection: of a frame, or the ID of a stream's event.
    mutating func keep(_ cursor: String?) -> [Step] {
        guard let cursor else { return [] }
        self.cursor = cursor
        return cursor.utf8.count > 1024 ? [.violation("a cursor of more than 1 KiB")] : []
    }

    // MARK: Membership

    private mutating func added(_ frame: UserFrame) -> [Step] {
        guard let room = frame.room else { return [.violation("room_added without a room")] }
        listed.insert(room.roomId)
        let wasThere = places[room.roomId] != nil
        named.remove(room.roomId)
        behind.remove(room.roomId)
        let step = begin(room)
        return wasThere ? [.violation("room_added of a room that was the user's"), step] : [step]
    }

    private mutating func removed(_ frame: UserFrame) -> [Step] {
        guard let room = frame.roomId, let reason = frame.reason else {
            return [.violation("room_removed without a room or a reason")]
        }
        guard places[room] == nil else { return end(room, reason) }
        // While the list is sent, a room may go that has not been in it yet.
        return phase == .live ? [.violation("room_removed of a room that was not the user's")] : []
    }

    private mutating func begin(_ room: UserFrame.Room) -> Step {
        let place = Place(room.lastSeq, room.mark)
        places[room.roomId] = place
        left.remove(room.roomId)
        return .began(room.roomId, place)
    }

    private mutating func end(_ room: String, _ reason: String) -> [Step] {
        guard places.removeValue(forKey: room) != nil else { return [] }
        let wasLive = phase == .live || phase == .catchingUp && !named.contains(room)
        left.remove(room)
        named.remove(room)
        behind.remove(room)
        listed.remove(room)
        return [.ended(room, reason: reason, wasLive: wasLive)]
    }
}
