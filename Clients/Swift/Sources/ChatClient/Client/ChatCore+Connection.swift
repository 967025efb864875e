import Logging

/// The connection and its frames.
extension ChatCore {
    /// The largest `sync` frame; the server takes 64 KiB.
    private static let maximumSyncBytes = 60_000

    func handle(_ actions: [Connection.Action]) async {
        for action in actions {
            switch action {
            case .token(let reason):
                if reason == .refused {
                    refusedToken = token ?? refusedToken
                    token = nil
                    await handle(outbox.hold())
                }
                tokenCall += 1
                effects?.yield(.token(reason, call: tokenCall))
            case .open(let transport): openConnection(transport)
            case .ping: send(["type": "ping"])
            case .sync: sendSync()
            case .authenticate: if let token { send(["type": "auth", "token": .string(token)]) }
            case .close(let code): endConnection(code)
            case .checkREST: effects?.yield(.checkREST)
            case .state(let state, let previous, let reason, let retryIn):
                await change(state, previous, reason, retryIn)
            }
        }
    }

    func send(_ frame: JSONValue) { output?.yield(.frame(frame.text)) }

    private func openConnection(_ transport: Connection.Transport) {
        endConnection(1000)
        let (outputs, output) = AsyncStream.makeStream(
            of: ConnectionOutput.self, bufferingPolicy: .bufferingNewest(1024))
        let (ends, ended) = AsyncStream.makeStream(of: Void.self)
        (self.output, self.ended) = (output, ended)
        effects?.yield(.open(transport, id: connectionID, outputs, ended: ends))
    }

    /// What still comes of the connection of now is not taken in.
    private func endConnection(_ code: UInt16) {
        output?.yield(.close(code: code))
        output?.finish()
        ended?.finish()
        (output, ended) = (nil, nil)
        connectionID += 1
    }

    private func change(
        _ state: ConnectionState, _ previous: ConnectionState, _ reason: ConnectionReason, _ retryIn: Int64?
    ) async {
        logger.debug("connection", metadata: ["state": "\(state.rawValue)", "reason": "\(reason.rawValue)"])
        deliveries.append(
            .connection(
                ConnectionStatus(state: state, previous: previous, reason: reason, retryInMilliseconds: retryIn)))
        switch state {
        case .live:
            for (room, seq) in reads { sendRead(room, seq) }
            for (id, room) in rooms where room.listeners > 0 { say("open", id) }
            await handle(outbox.wake())
        case .syncing, .connecting: break
        case .offline, .signedOut, .closed:
            dropIdleConnections()
            for (id, room) in rooms { handle(room.log.disconnected(), of: id) }
            guard state != .offline else { return }
            token = nil
            await handle(outbox.hold())
            resumeTokenWaiters()
        }
    }

    // MARK: Tokens

    /// Whether a call for a token still counts.
    func isWaitingForToken(_ call: Int) -> Bool { call == tokenCall && connection.isAsking }

    func tokenCame(_ result: Result<String, any Error>, call: Int) async {
        await input { core in
            guard core.isWaitingForToken(call) else { return }
            switch result {
            case .success(let token):
                guard token != core.refusedToken,
                    let life = TokenLife(token: token, wallClock: System.wallClock)
                else { return await core.handle(core.connection.tokenFailed()) }
                let isOther = core.connection.userID.map { $0 != life.userID } ?? false
                if !isOther {
                    core.token = token
                    await core.adopt(life.userID)
                }
                await core.handle(core.connection.token(life))
                guard !isOther else { return }
                await core.handle(core.outbox.resume())
                await core.handle(core.outbox.wake())
                core.resumeTokenWaiters()
            case .failure(let error):
                let gaveUp = error is SignedOut || (error as? ChatError)?.code == .signedOut
                if !gaveUp { core.errors.send(ChatError.network(error)) }
                await core.handle(core.connection.tokenFailed(gaveUp: gaveUp))
            }
        }
    }

    // MARK: Inputs of the transport

    func take(_ inputs: [ConnectionInput], connection id: Int) async {
        await input { core in
            for input in inputs {
                // A frame may have ended the connection, and then what came behind it counts no more.
                guard id == core.connectionID else { return }
                switch input {
                case .opened: break
                case .signOfLife, .retry: await core.handle(core.connection.signOfLife())
                case .frame(let text, _):
                    guard let frame = try? JSONValue(parsing: text).object else {
                        await core.handle(core.connection.protocolError())
                        return
                    }
                    await core.take(frame)
                }
            }
        }
    }

    func ended(_ end: ConnectionEnd, connection id: Int) async {
        await input { core in
            guard id == core.connectionID else { return }
            core.output?.finish()
            (core.output, core.ended) = (nil, nil)
            switch end {
            case .closed(let code, _): await core.handle(core.connection.closed(code: code))
            case .failed(let error):
                core.logger.debug("connection failed", metadata: ["reason": "\(error.message)"])
                await core.handle(core.connection.closed(code: 1006))
            case .refused(let answer):
                let retryAfter = answer.retryAfterMilliseconds
                let isStream = core.connection.transport == .eventStream
                if isStream || answer.status == 401 || (retryAfter != nil && answer.status >= 429) {
                    await core.handle(
                        core.connection.httpError(status: answer.status, retryAfterMilliseconds: retryAfter))
                } else {
                    await core.handle(core.connection.closed(code: 1006))
                }
            }
        }
    }

    /// Takes in one frame.
    func take(_ frame: JSONObject) async {
        let id = frame["roomId"]?.string
        switch frame["eventType"]?.string {
        case "ready":
            list.begin()
            // A socket gets the positions of its rooms; a stream goes on from the cursor in all.
            for (id, room) in rooms { handle(room.log.syncing(isNamed: room.log.position != nil), of: id) }
        case "rooms": takeRooms(frame)
        case "room_added":
            guard let room = frame["room"]?.object.flatMap(RoomInfo.init(json:)) else { break }
            list.added(room)
            takeHead(of: room)
            deliveries.append(.head(room: room.roomID, room.head))
            if let known = rooms[room.roomID], known.listeners > 0 { say("open", room.roomID) }
            isListChanged = true
        case "room_removed": if let id, list.removed(id) || rooms[id] != nil { remove(id) }
        case "room_reset":
            guard let room = frame["room"]?.object.flatMap(RoomInfo.init(json:)), let id,
                let head = LogPosition(json: .object(frame))
            else { break }
            list.reset(room)
            if let known = rooms[id] { handle(known.log.reset(head), of: id) }
            deliveries.append(.resetFeeds(room: id))
            isListChanged = true
        case "room_skipped":
            guard let id, let head = LogPosition(json: .object(frame)) else { break }
            list.skipped(id, head)
            if let known = rooms[id] { handle(known.log.skipped(head), of: id) }
            deliveries.append(.missed(room: id))
            isListChanged = true
        case "room_changed":
            list.changed(frame)
            if let id, let read = frame["lastReadSeq"]?.integer { readReported(id, read) }
            isListChanged = true
        case "caught_up": if let id, let room = rooms[id] { handle(room.log.synced(), of: id) }
        case "synced":
            for (id, room) in rooms { handle(room.log.synced(), of: id) }
            for feed in feeds.all where feed.position == nil {
                if let head = list.head(feed.roomID) { deliveries.append(.head(room: feed.roomID, head)) }
            }
            deliveries.append(.listCurrent)
            keepCursor(frame)
        case "cursor": keepCursor(frame)
        case "pong", "error", "reconnect", "token_expiring": break
        default:
            if let event = ChatEvent(json: frame) {
                guard await take(event) else { return }
            } else if let id, let room = rooms[id] {
                handle(room.log.signal(frame), of: id)
            }
        }
        await handle(connection.frame(frame))
    }

    private func takeRooms(_ frame: JSONObject) {
        var gone = Set(list.rooms(frame)).union((frame["removed"]?.array ?? []).compactMap(\.string))
        // A log of a room that the list did not know is one of a room that was lost, too.
        if frame["isAll"]?.bool == true, frame["isLast"]?.bool == true {
            gone.formUnion(rooms.filter { $0.value.log.position != nil && list.room($0.key) == nil }.keys)
        }
        for id in gone { remove(id) }
        for value in frame["rooms"]?.array ?? [] {
            guard let info = value.object.flatMap(RoomInfo.init(json:)) else { continue }
            let id = info.roomID
            takeHead(of: info)
            if let room = rooms[id] {
                // A stream without a cursor has nothing that was before.
                if connection.transport == .eventStream, list.cursor == nil {
                    handle(room.log.skipped(info.head), of: id)
                }
            }
            readReported(id, info.lastReadSeq)
            deliveries.append(.head(room: id, info.head))
            for feed in feeds.of(id) where (feed.position?.seq ?? .max) < info.lastSeq {
                deliveries.append(.missed(room: id))
                break
            }
        }
        isListChanged = true
    }

    /// The head of a room's log has become known: a log that was asked for and is not kept begins there.
    private func takeHead(of info: RoomInfo) {
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
        if let wanted = reads[id] { readReported(id, wanted) }
        deliveries.append(.removedFeeds(room: id))
        isListChanged = true
    }

    private func keepCursor(_ frame: JSONObject) {
        guard let cursor = frame["cursor"]?.string else { return }
        list.cursor = cursor
        changes.append(.list(list.kept))
    }

    /// Returns whether the log goes on with it.
    private func take(_ event: ChatEvent) async -> Bool {
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
            if outbox.post(key)?.roomID == id {
                answers[key] = message.withoutEventType
                await handle(
                    outbox.logged(key, StoredAt(messageID: message.messageID, seq: message.seq, mark: message.mark)))
            }
            if rooms[id]?.stored.isEmpty == false { setPosts(of: id) }
        }
        return true
    }

    // MARK: Sync

    private func sendSync() {
        var first: JSONObject = ["type": "sync"]
        if let cursor = list.cursor { first["cursor"] = .string(cursor) }
        first["maxMissed"] = JSONValue(min(max(configuration.maximumMissed, 1), 10_000))
        var frames: [JSONObject] = []
        var (current, named, size) = (first, JSONObject(), 1200)
        for (id, room) in rooms {
            // Also those that the kept list does not know: they were added after its cursor.
            guard let position = room.log.position else { continue }
            if size > Self.maximumSyncBytes {
                current["rooms"] = .object(named)
                frames.append(current)
                (current, named, size) = (["type": "sync"], JSONObject(), 100)
            }
            named.append(id, .object(position.json))
            size += id.utf8.count + 60
        }
        if !named.isEmpty { current["rooms"] = .object(named) }
        frames.append(current)
        for (index, frame) in frames.enumerated() {
            var frame = frame
            if index < frames.count - 1 { frame["more"] = true }
            send(.object(frame))
        }
    }
}
