import Logging

/// The frames that the server sends.
extension ChatCore {
    func apply(_ frame: JSONObject) async {
        guard Self.hasPositions(frame) else { return await handle(connection.protocolError()) }
        let id = frame["roomId"]?.string
        switch frame["eventType"]?.string {
        case "ready": applyReady()
        case "rooms": applyRooms(frame)
        case "room_added": applyRoomAdded(frame)
        case "room_removed": if let id, list.removed(id) || rooms[id] != nil { remove(id) }
        case "room_reset": applyRoomReset(frame)
        case "room_skipped": applyRoomSkipped(frame)
        case "room_changed": applyRoomChanged(frame)
        case "caught_up": if let id, let room = rooms[id] { handle(room.log.synced(), of: id) }
        case "synced": applySynced(frame)
        case "cursor": keepCursor(frame)
        case "error": if frame["code"]?.string == "invalid_token" { await dropToken() }
        case "pong", "reconnect", "token_expiring": break
        default:
            if let event = ChatEvent(json: frame) {
                guard await apply(event) else { return }
            } else if let id, let room = rooms[id] {
                handle(room.log.signal(frame), of: id)
            }
        }
        await handle(connection.frame(frame))
    }

    /// Whether the positions in a frame are positions. With one that is none, every later `sync` would be refused.
    private static func hasPositions(_ frame: JSONObject) -> Bool {
        func hasHead(_ room: JSONValue?) -> Bool { LogPosition.isValid(room?["lastSeq"]?.integer) }
        return switch frame["eventType"]?.string {
        case "rooms": (frame["rooms"]?.array ?? []).allSatisfy(hasHead)
        case "room_added": hasHead(frame["room"])
        case "room_reset": LogPosition(json: .object(frame)) != nil && hasHead(frame["room"])
        case "room_skipped": LogPosition(json: .object(frame)) != nil
        default: true
        }
    }

    // MARK: The connection

    private func applyReady() {
        list.begin()
        // A stream that replaces another one continues in all rooms.
        guard connection.state != .live else { return }
        if connection.transport == .webSocket {
            // The positions that `sync` names.
            named = Set(rooms.filter { $0.value.log.position != nil }.keys)
        } else {
            // A stream continues from its cursor.
            named = list.cursor == nil ? [] : nil
        }
        for (id, room) in rooms { handle(room.log.syncing(isNamed: named?.contains(id) ?? true), of: id) }
    }

    private func applySynced(_ frame: JSONObject) {
        named = nil
        for (id, room) in rooms { handle(room.log.synced(), of: id) }
        for feed in feeds.all where feed.position == nil {
            if let head = list.head(feed.roomID) { deliveries.append(.head(room: feed.roomID, head)) }
        }
        deliveries.append(.listCurrent)
        keepCursor(frame)
    }

    private func keepCursor(_ frame: JSONObject) {
        guard let cursor = frame["cursor"]?.string else { return }
        list.cursor = cursor
        changes.append(.list(list.kept))
    }

    // MARK: The list of rooms

    private func applyRooms(_ frame: JSONObject) {
        var gone = Set(list.rooms(frame)).union((frame["removed"]?.array ?? []).compactMap(\.string))
        // A log of a room that the list does not know belongs to a room that was lost, too.
        if frame["isAll"]?.bool == true, frame["isLast"]?.bool == true {
            gone.formUnion(rooms.filter { $0.value.log.position != nil && list.room($0.key) == nil }.keys)
        }
        for id in gone { remove(id) }
        // A stream whose cursor the server has forgotten continues in no room: as if none had been named.
        if connection.transport == .eventStream, frame["isAll"]?.bool == true { named = [] }
        for value in frame["rooms"]?.array ?? [] {
            guard let info = value.object.flatMap(RoomInfo.init(json:)) else { continue }
            let id = info.roomID
            applyHead(of: info)
            // The server sends no earlier events of a room whose position it does not know.
            if named?.contains(id) == false, let room = rooms[id] { handle(room.log.skipped(info.head), of: id) }
            readReported(id, info.lastReadSeq)
            deliveries.append(.head(room: id, info.head))
            for feed in feeds.of(id) where (feed.position?.seq ?? .max) < info.lastSeq {
                deliveries.append(.missed(room: id))
                break
            }
        }
        isListChanged = true
    }

    private func applyRoomAdded(_ frame: JSONObject) {
        guard let room = frame["room"]?.object.flatMap(RoomInfo.init(json:)) else { return }
        list.added(room)
        applyHead(of: room)
        deliveries.append(.head(room: room.roomID, room.head))
        if openRooms.ids.contains(room.roomID) { sendRoomCommand("open", room: room.roomID) }
        isListChanged = true
    }

    private func applyRoomReset(_ frame: JSONObject) {
        guard let room = frame["room"]?.object.flatMap(RoomInfo.init(json:)), let id = frame["roomId"]?.string,
            let head = LogPosition(json: .object(frame))
        else { return }
        list.reset(room)
        if let known = rooms[id] { handle(known.log.reset(head), of: id) }
        deliveries.append(.resetFeeds(room: id))
        isListChanged = true
    }

    private func applyRoomSkipped(_ frame: JSONObject) {
        guard let id = frame["roomId"]?.string, let head = LogPosition(json: .object(frame)) else { return }
        list.skipped(id, head)
        if let known = rooms[id] { handle(known.log.skipped(head), of: id) }
        deliveries.append(.missed(room: id))
        isListChanged = true
    }

    private func applyRoomChanged(_ frame: JSONObject) {
        list.changed(frame)
        if let id = frame["roomId"]?.string, let read = frame["lastReadSeq"]?.integer { readReported(id, read) }
        isListChanged = true
    }

    /// The head of a room's log is known now: a log that was asked for and has no position yet begins there.
    private func applyHead(of info: RoomInfo) {
        guard let room = rooms[info.roomID], room.log.position == nil else { return }
        if room.isWanted {
            handle(room.log.added(info.head), of: info.roomID)
            handle(room.log.syncing(isNamed: false), of: info.roomID)
        } else if room.log.state == .gone {
            room.log = newLog()
            deliveries.append(.roomState(room: info.roomID, .idle))
        }
    }

    private func remove(_ id: String) {
        if let room = rooms[id] { handle(room.log.removed(), of: id) }
        readReported(id, .max)
        deliveries.append(.removedFeeds(room: id))
        isListChanged = true
    }

    // MARK: Events

    /// Returns whether the event continues its log.
    private func apply(_ event: ChatEvent) async -> Bool {
        let id = event.roomID
        var outcome = list.event(event)
        let actions = outcome == .gap ? [] : rooms[id]?.log.event(event) ?? []
        if actions.contains(where: { if case .gap = $0 { true } else { false } }) { outcome = .gap }
        guard outcome != .gap else {
            logger.warning("A gap in a log", metadata: ["room": "\(id)", "seq": "\(event.seq)"])
            await handle(connection.protocolError())
            return false
        }
        handle(actions, of: id)
        deliveries.append(.event(event))
        if outcome == .taken || outcome == .unsure { isListChanged = true }
        if outcome == .unsure, case .messageDeleted(let message) = event { locate(message) }
        if case .message(let message) = event, message.senderID == list.userID, let key = message.clientMessageID {
            await applyOwnMessage(message, key: key)
        }
        return true
    }

    /// The log shows a message of this user, which may be a post of the outbox.
    private func applyOwnMessage(_ message: Message, key: String) async {
        let id = message.roomID
        if outbox.post(key)?.roomID == id {
            storedMessages[key] = message.withoutEventType
            await handle(
                outbox.logged(key, StoredPosition(messageID: message.messageID, seq: message.seq, mark: message.mark)))
        }
        if rooms[id]?.stored.isEmpty == false { setPosts(of: id) }
    }
}
