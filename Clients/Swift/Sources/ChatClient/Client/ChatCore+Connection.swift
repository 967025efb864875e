import Logging

/// The connection: its actions, tokens and inputs.
extension ChatCore {
    /// The largest `sync` frame; the server takes 64 KiB.
    private static let maximumSyncBytes = 60_000

    func handle(_ actions: [Connection.Action]) async {
        for action in actions {
            switch action {
            case .token(let reason):
                if reason == .refused { await dropToken() }
                tokenCall += 1
                effects?.yield(.token(reason, call: tokenCall))
            case .open(let transport): openConnection(transport)
            case .ping: send(["type": "ping"])
            case .sync: sendSync()
            case .authenticate: authenticate()
            case .close(let code): endConnection(code)
            case .checkREST: effects?.yield(.checkREST)
            case .state(let state, let previous, let reason, let retryIn):
                await change(state, previous, reason, retryIn)
            }
        }
    }

    func send(_ frame: JSONValue) { link?.output.yield(.frame(frame.text)) }

    private func openConnection(_ transport: Connection.Transport) {
        endConnection(1000)
        link = makeLink(transport)
    }

    private func makeLink(_ transport: Connection.Transport) -> ConnectionLink {
        let (outputs, output) = AsyncStream.makeStream(
            of: ConnectionOutput.self, bufferingPolicy: .bufferingNewest(1024))
        let (ends, ended) = AsyncStream.makeStream(of: Void.self)
        linkCount += 1
        effects?.yield(.open(transport, id: linkCount, outputs, ended: ends))
        return ConnectionLink(id: linkCount, output: output, ended: ended)
    }

    /// Ends the current connection and ignores what still arrives from it.
    private func endConnection(_ code: UInt16) {
        link?.end(code: code)
        successor?.end(code: code)
        (link, successor) = (nil, nil)
    }

    /// Uses the new token in place of the former one.
    private func authenticate() {
        guard let token else { return }
        guard connection.transport == .eventStream else { return send(["type": "auth", "token": .string(token)]) }
        // A stream keeps the token that it began with, so another one replaces it while it still lasts.
        successor?.end(code: 1000)
        successor = makeLink(.eventStream)
    }

    /// The successor is open: it continues from the cursor, so no event is lost between the two.
    private func replaceLink() {
        link?.end(code: 1000)
        (link, successor) = (successor, nil)
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
            send(readMarks.connected())
            for id in openRooms.ids { sendRoomCommand("open", room: id) }
            await handle(outbox.wake())
        case .syncing, .connecting: break
        case .offline, .signedOut, .closed:
            dropIdleConnections()
            readMarks.disconnected()
            for (id, room) in rooms { handle(room.log.disconnected(), of: id) }
            guard state != .offline else { return }
            token = nil
            await handle(outbox.hold())
            try? await storage?.releaseSender()
            resumeTokenWaiters()
        }
    }

    // MARK: Tokens

    /// The server has refused the present token: no call uses it any more.
    func dropToken() async {
        guard tokens != nil else { return }
        refusedToken = token ?? refusedToken
        token = nil
        await handle(outbox.hold())
    }

    /// The server has refused a token in the response to a REST call.
    func unauthorized(_ refused: String?) async {
        guard let refused, token == refused else { return }
        await dropToken()
        await handle(connection.unauthorized())
    }

    /// Whether a call for a token still counts.
    func isWaitingForToken(_ call: Int) -> Bool { call == tokenCall && connection.isAsking }

    func tokenCallEnded(_ result: Result<String, any Error>, call: Int) async {
        await input { core in
            guard core.isWaitingForToken(call) else { return }
            switch result {
            case .success(let token): await core.tokenArrived(token)
            case .failure(let error):
                let isSignedOut = error is SignedOut || (error as? ChatError)?.code == .signedOut
                if !isSignedOut { core.errors.send(ChatError.network(error)) }
                await core.handle(core.connection.tokenFailed(isSignedOut: isSignedOut))
            }
        }
    }

    private func tokenArrived(_ token: String) async {
        guard token != refusedToken, let lifetime = TokenLifetime(token: token, wallClock: System.wallClock) else {
            return await handle(connection.tokenFailed())
        }
        // The token of another user ends in `signedOut`; the data of the present user stay untouched.
        if let userID = connection.userID, userID != lifetime.userID {
            return await handle(connection.token(lifetime))
        }
        self.token = token
        await adopt(lifetime.userID)
        await handle(connection.token(lifetime))
        // Pauses go on: a server that refuses the new token, too, would be asked without any.
        await refreshOutbox()
        await handle(outbox.resume())
        resumeTokenWaiters()
    }

    // MARK: Inputs of the transport

    func receive(_ inputs: [ConnectionInput], connection id: Int) async {
        await input { core in
            if id == core.successor?.id, inputs.contains(.opened) { core.replaceLink() }
            for input in inputs {
                // A frame may have ended the connection: the inputs after it no longer count.
                guard id == core.link?.id else { return }
                switch input {
                case .opened: break
                case .activity: await core.handle(core.connection.activity())
                case .retry(let milliseconds):
                    await core.apply(["eventType": "reconnect", "afterMs": JSONValue(milliseconds)])
                case .frame(let text, _):
                    guard let frame = try? JSONValue(parsing: text).object else {
                        await core.handle(core.connection.protocolError())
                        return
                    }
                    await core.apply(frame)
                }
            }
        }
    }

    func ended(_ end: ConnectionEnd, connection id: Int) async {
        await input { core in
            guard id == core.link?.id else {
                // A successor that is refused leaves the present stream as it is.
                if id == core.successor?.id { core.successor = nil }
                return
            }
            core.endConnection(1000)
            switch end {
            case .closed(let code, _):
                if code == 4401 || code == 4408 { await core.dropToken() }
                await core.handle(core.connection.closed(code: code))
            case .failed(let error):
                core.logger.debug("connection failed", metadata: ["reason": "\(error.message)"])
                await core.handle(core.connection.closed(code: 1006))
            case .refused(let response):
                let retryAfter = response.retryAfterMilliseconds
                if response.status == 401 { await core.dropToken() }
                let isStream = core.connection.transport == .eventStream
                if isStream || response.status == 401 || (retryAfter != nil && response.status >= 429) {
                    await core.handle(
                        core.connection.httpError(status: response.status, retryAfterMilliseconds: retryAfter))
                } else {
                    await core.handle(core.connection.closed(code: 1006))
                }
            }
        }
    }

    // MARK: Sync

    private func sendSync() {
        var first: JSONObject = ["type": "sync"]
        if let cursor = list.cursor { first["cursor"] = .string(cursor) }
        first["maxMissed"] = JSONValue(min(max(configuration.maximumMissed, 1), 10_000))
        var frames: [JSONObject] = []
        var (current, named, size) = (first, JSONObject(), 1200)
        for (id, room) in rooms {
            // Including rooms that the stored list does not know: they were added after its cursor.
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

/// The core's end of one connection.
struct ConnectionLink: Sendable {
    let id: Int
    let output: AsyncStream<ConnectionOutput>.Continuation
    let ended: AsyncStream<Void>.Continuation

    func end(code: UInt16) {
        output.yield(.close(code: code))
        output.finish()
        ended.finish()
    }
}
