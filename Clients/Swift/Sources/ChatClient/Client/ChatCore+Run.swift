/// The tasks of `run()`.
extension ChatCore {
    private enum RunEvent: Sendable {
        case effect(Effect?)
        case done
    }

    private static let tick: Duration = .milliseconds(500)
    /// Difference from which the wall clock counts as having jumped, in milliseconds.
    private static let clockJump: Int64 = 10_000

    /// Does all I/O until the task is cancelled. All of it has ended when this returns.
    nonisolated func run() async throws {
        let effects = try await begin()
        await withTaskGroup(of: RunEvent.self) { group in
            group.addTask { await self.keepTicking() }
            group.addTask { await Self.next(effects) }
            while let event = await group.next() {
                guard case .effect(let effect) = event else { continue }
                guard let effect, !Task.isCancelled else { break }
                group.addTask { await Self.next(effects) }
                group.addTask {
                    await self.perform(effect)
                    return .done
                }
            }
            group.cancelAll()
        }
        // In a task of its own, since this one is cancelled: the right to send is given back in the store.
        await Task { await self.end() }.value
    }

    private static func next(_ effects: AsyncStream<Effect>) async -> RunEvent {
        var iterator = effects.makeAsyncIterator()
        return .effect(await iterator.next())
    }

    private func begin() async throws -> AsyncStream<Effect> {
        guard effects == nil else { throw ChatError(.inUse, "The client runs already") }
        let (stream, effects) = AsyncStream.makeStream(of: Effect.self)
        self.effects = effects
        hasRun = false
        transport.keepConnections()
        await input { core in
            if let userID = core.configuration.userID { await core.adopt(userID) }
            await core.handle(core.connection.start())
            guard core.tokens == nil || core.token != nil else { return }
            await core.refreshOutbox()
            await core.handle(core.outbox.resume())
        }
        return stream
    }

    private func end() async {
        await input { core in
            await core.handle(core.connection.stop())
            await core.handle(core.outbox.hold())
            // An attempt that was cut off has had no response.
            for post in core.outbox.posts where post.state == .sending {
                await core.handle(core.outbox.noAnswer(post.key))
            }
            core.transport.closeConnections()
            core.effects?.finish()
            core.effects = nil
            core.hasRun = true
            core.ends.set(core.ends.value + 1)
            core.wakeAt = nil
            core.deletions = []
            core.resumeTokenWaiters()
            try? await core.storage?.releaseSender()
        }
    }

    private nonisolated func perform(_ effect: Effect) async {
        switch effect {
        case .wake(let time):
            let milliseconds = max(time - System.monotonicClock, 0)
            guard (try? await Task.sleep(for: .milliseconds(milliseconds))) != nil else { return }
            await wake(at: time)
        case .token(let reason, let call): await askForToken(reason, call)
        case .open(let transport, let id, let output, let ended): await connect(transport, id, output, ended)
        case .send(let post): await send(post)
        case .checkREST:
            guard await isAnswered(.system, "/api/v1/users/me") else { return }
            await input { core in await core.handle(core.connection.restWorks()) }
        case .probe(let room):
            guard await isAnswered(.messages, "/api/v1/rooms/\(room.percentEncoded)/messages?limit=1") else { return }
            await input { core in await core.handle(core.outbox.otherAnswered()) }
        case .read(let room, let seq):
            let path = "/api/v1/rooms/\(room.percentEncoded)/read"
            do {
                try await rest(.put, .system, path, ["seq": JSONValue(seq)])
            } catch {
                // A mark that the server will never accept must not be kept forever.
                guard let status = (error as? ChatError)?.status, ChatError.isFinal(status: status) else { return }
            }
            await input { core in core.readReported(room, seq) }
        case .locate(let deletion):
            let message = try? await rest(.get, .messages, "/api/v1/messages/\(deletion.messageID)")
            await input { core in core.located(deletion, at: message?["seq"]?.integer) }
        }
    }

    /// Whether a server answers a call that changes nothing below 500.
    private nonisolated func isAnswered(_ server: Server, _ path: String) async -> Bool {
        guard let response = try? await call(.get, server, path, nil, token: token) else { return false }
        return response.status < 500
    }

    private nonisolated func askForToken(_ reason: TokenReason, _ call: Int) async {
        guard let tokens else { return }
        // Applications often use a refresh token that works only once, so two calls at a time would sign the user out.
        let lock = StoreLock(store: store, key: storePrefix + "token-call", holder: "\(instance).\(call)")
        do {
            let token = try await withDeadline(milliseconds: Connection.tokenTimeout) {
                try await lock.withLock {
                    guard await self.isWaitingForToken(call) else { throw ChatError.timeout }
                    // An application whose call hangs must not keep the client from ending.
                    return try await withCancellation {
                        try await tokens(reason)
                    } late: { _ in
                    }
                }
            }
            await tokenCallEnded(.success(token), call: call)
        } catch is CancellationError where Task.isCancelled {
            return
        } catch {
            await tokenCallEnded(.failure(error), call: call)
        }
    }

    private nonisolated func connect(
        _ kind: Connection.Transport, _ id: Int, _ output: AsyncStream<ConnectionOutput>, _ ended: AsyncStream<Void>
    ) async {
        let request: ConnectionRequest
        do {
            request = try await connectionRequest(kind)
        } catch {
            return await self.ended(.failed(.network(error)), connection: id)
        }
        let end = await withTaskGroup(of: ConnectionEnd?.self) { group in
            group.addTask { [transport] in
                await transport.connect(request, output: output) { inputs in
                    await self.receive(inputs, connection: id)
                }
            }
            group.addTask {
                for await _ in ended {}
                // The connection is no longer wanted: leave a moment for the close frame.
                try? await Task.sleep(for: .milliseconds(300))
                return nil
            }
            defer { group.cancelAll() }
            return await group.next() ?? nil
        }
        if let end { await self.ended(end, connection: id) }
    }

    private func connectionRequest(_ kind: Connection.Transport) async throws -> ConnectionRequest {
        let server = try await addresses().sockets
        var query: [String] = []
        if tokens == nil, let userID = configuration.userID { query.append("userId=\(userID)") }
        if kind == .eventStream, let cursor = list.cursor { query.append("cursor=\(cursor.percentEncoded)") }
        let path = kind == .eventStream ? "/sse/user" : "/ws/user"
        return ConnectionRequest(
            kind: kind == .eventStream ? .eventStream : .webSocket, server: server,
            path: query.isEmpty ? path : path + "?" + query.joined(separator: "&"), headers: authorization(token))
    }

    // MARK: Periodic work

    private nonisolated func keepTicking() async -> RunEvent {
        var count = 0
        while (try? await Task.sleep(for: Self.tick)) != nil {
            count += 1
            await tick(count)
        }
        return .done
    }

    /// Closes idle connections: after a network outage they may look alive, and a call over one would wait for its
    /// deadline.
    func dropIdleConnections() {
        transport.closeConnections()
        if effects != nil { transport.keepConnections() }
    }

    private func tick(_ count: Int) async {
        let offset = System.wallClock - System.monotonicClock
        let jump = clockOffset.map { offset - $0 } ?? 0
        clockOffset = offset
        if jump.magnitude >= Self.clockJump.magnitude {
            dropIdleConnections()
            await input { core in await core.handle(core.connection.clockJumped(by: max(jump, 0))) }
        }
        await store.retry()
        guard store.isLasting, let storage else { return }
        if holdsSender || !outbox.isEmpty { await input { core in await core.refreshOutbox() } }
        guard count % 4 == 0 else { return }
        for (reader, name) in names {
            try? await storage.moveName(name.name, room: name.room, reader: reader, to: nil)
        }
    }
}
