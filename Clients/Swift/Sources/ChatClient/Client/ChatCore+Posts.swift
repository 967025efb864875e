/// Posts that are not stored by the server yet.
extension ChatCore {
    func handle(_ actions: [Outbox.Action]) async {
        guard !actions.isEmpty else { return }
        var isPublished = false
        for action in actions {
            switch action {
            case .keep(let key, let isLast): await keep(key, isLast: isLast)
            case .keepEdited(let former):
                guard let post = outbox.post(former.key) else { break }
                await change(post.key) { try await $0.edit(former, payload: post.payload) }
            case .keepDone(let key, nil): await change(key) { try await $0.giveUp(key) }
            case .keepDone(let key, let place): await keep([.postDone(key: key, place)])
            case .keepDiscarded(let post): await change(post.key) { try await $0.discard(post) }
            case .post(let key, _):
                guard let post = outbox.post(key) else { break }
                if !isPublished { publishOutbox() }
                isPublished = true
                posts[key]?.update(post)
            case .stored(let key, let place):
                publishOutbox()
                stored(key, place)
            case .send(let key): if let post = outbox.post(key) { effects?.yield(.send(post)) }
            case .discarded(let key, let isGone):
                publishOutbox()
                // It is back in the outbox if another process had begun to send it.
                let isGone = isGone && outbox.post(key) == nil
                if isGone { posts.remove(key)?.discarded() }
                answerDiscards(key, isGone: isGone)
            case .probe:
                if let post = outbox.posts.first(where: \.isSuspect) { effects?.yield(.probe(room: post.roomID)) }
            case .rejected(let key, _):
                publishOutbox()
                posts.remove(key)?.fail(Self.reused)
            case .edited: break
            }
        }
        publishOutbox()
        for id in rooms.keys where rooms[id]?.isWanted == true { setPosts(of: id) }
    }

    /// Called also before a state or the end of a post is reported: whoever waits for it looks at the outbox next.
    private func publishOutbox() { outboxes.set(outbox.posts) }

    /// Whether this client may take the right to send: one that nobody is signed in to leaves it to other processes.
    var canSend: Bool { effects != nil && connection.state != .signedOut && connection.state != .closed }

    private func keep(_ changes: [ClientStorage.Change]) async {
        do { try await storage?.keep(changes) } catch { report(error) }
    }

    private func keep(_ key: String, isLast: Bool) async {
        guard let storage, let post = outbox.post(key) else { return }
        guard post.state == .new else {
            return await change(key) { try await $0.put(post, isMoved: isLast) }
        }
        do {
            let added = try await storage.add(post, isRunning: canSend)
            guard added.conflict == nil else { return await handle(outbox.taken(key)) }
            if let contents = added.outbox {
                await apply(contents)
            } else {
                holdsSender = added.isSender
                await handle(outbox.sender(added.isSender))
            }
            await handle(outbox.kept(key))
        } catch {
            report(error)
            posts.remove(key)?.fail(error as? ChatError ?? .network(error))
            await handle(outbox.notKept(key))
        }
    }

    /// Changes a stored post, and learns what other processes have done with it.
    private func change(
        _ key: String, _ change: (ClientStorage) async throws -> ClientStorage.Outcome
    ) async {
        guard let storage else { return }
        do {
            switch try await change(storage) {
            case .done(let payload): await handle(outbox.kept(key, payload: payload))
            case .tried:
                answerDiscards(key, isGone: false)
                await apply(try await storage.refreshOutbox(isRunning: canSend))
            case .gone(let place): await handle(outbox.settled(key, place))
            case .storedAgain: await handle(outbox.triedElsewhere(key))
            }
        } catch {
            report(error)
            answerDiscards(key, isGone: false)
        }
    }

    /// Learns what other processes have done, and which one sends.
    func refreshOutbox() async {
        guard store.isLasting, let storage, holdsSender || !outbox.isEmpty else { return }
        do { await apply(try await storage.refreshOutbox(isRunning: canSend)) } catch { report(error) }
    }

    /// Applies the posts of the store, where other processes write, too.
    func apply(_ contents: ClientStorage.Outbox) async {
        for broken in contents.broken {
            report(ChatError(.storeFailed, "A post could not be read and was put aside as broken/\(broken.suffix(80))"))
        }
        holdsSender = contents.isSender && !contents.posts.isEmpty
        await handle(outbox.loaded(contents.posts, done: contents.done, isSender: contents.isSender))
    }

    private func answerDiscards(_ key: String, isGone: Bool) {
        for waiting in discards.removeValue(forKey: key) ?? [] { waiting.resume(returning: isGone) }
    }

    private func stored(_ key: String, _ place: StoredPosition) {
        answerDiscards(key, isGone: false)
        let known = storedMessages.removeValue(forKey: key)
        let followed = posts.remove(key)
        if let message = known ?? followed.flatMap({ composed($0.now, place) }) { followed?.stored(message) }
        // It is shown until the log shows it, even if nobody follows it, such as a post of an earlier process.
        guard var post = followed?.now ?? rooms.values.lazy.compactMap({ $0.log.timeline?.post(key) }).first,
            let room = rooms[post.roomID]
        else { return }
        (post.state, post.seq, post.messageID) = (.stored, place.seq, place.messageID)
        room.stored.append(post)
        if room.stored.count > 256 { room.stored.removeFirst() }
        setPosts(of: post.roomID)
    }

    /// The message of a post if only its place in the log is known.
    private func composed(_ post: OwnPost, _ place: StoredPosition) -> Message? {
        var json: JSONObject = [
            "messageId": JSONValue(place.messageID), "roomId": .string(post.roomID), "seq": JSONValue(place.seq),
            "senderId": JSONValue(list.userID ?? 0), "messageType": .string(post.messageType),
            "contentJson": .string(post.payload.text), "status": "sent", "clientMessageId": .string(post.key),
            "isEdited": false, "isDeleted": false,
        ]
        if let mark = place.mark { json["mark"] = .string(mark) }
        if let reply = post.replyToMessageID { json["replyToMessageId"] = JSONValue(reply) }
        return Message(json: json)
    }

    static let maximumKey = 64
    static let reused = ChatError(.clientMessageIDReused, "The key was used for other content", status: 409)

    // MARK: The application

    /// The object that follows a post: the same one for the same key while it is on its way.
    nonisolated func follow(_ post: OwnPost) -> Post {
        guard (1...Self.maximumKey).contains(post.key.unicodeScalars.count) else {
            let refused = Post(post, core: self)
            refused.fail(ChatError(.invalid, "A key has 1 to \(Self.maximumKey) characters"))
            return refused
        }
        let (object, isNew) = posts.object(for: post) { Post(post, core: self) }
        guard isNew else {
            if object.now.hasSameContent(as: post) { return object }
            let refused = Post(post, core: self)
            refused.fail(Self.reused)
            return refused
        }
        command { core in await core.add(post) }
        return object
    }

    /// Adds a post. If the user is not known yet, the post waits for that.
    func add(_ post: OwnPost) async {
        guard storage != nil else {
            if let userID = configuration.userID {
                await adopt(userID)
                await add(post)
            } else if postsWithoutUser.count < 1000 {
                postsWithoutUser.append(post)
            } else {
                posts.remove(post.key)?.fail(ChatError(.storeFailed, "Too many posts before a user is known"))
            }
            return
        }
        if let known = storedMessage(of: post) {
            let followed = posts.remove(post.key)
            if known.isSame { followed?.stored(known.message) } else { followed?.fail(Self.reused) }
            return
        }
        let actions = outbox.add(post)
        if let known = outbox.post(post.key), known.state != .new { posts[post.key]?.update(known) }
        await handle(actions)
    }

    /// The message that is known to have the post's key, and whether it is the same. Without one the server decides.
    private func storedMessage(of post: OwnPost) -> (message: Message, isSame: Bool)? {
        guard let room = rooms[post.roomID] else { return nil }
        // What was first sent is not known of an edited message, nor where the server adds what it knows of a file.
        if let logged = room.log.timeline?.ownMessage(post.key), !logged.isEdited, !logged.isDeleted,
            post.payload["fileId"] == nil || post.payload["fileId"] != logged.content?["fileId"]
        {
            let isSame =
                logged.messageType == post.messageType && logged.content == post.payload
                && logged.replyToMessageID == post.replyToMessageID
            return (logged, isSame)
        }
        // Stored, although the log does not show it yet.
        guard let stored = room.stored.last(where: { $0.key == post.key }), let seq = stored.seq,
            let messageID = stored.messageID,
            let message = composed(stored, StoredPosition(messageID: messageID, seq: seq))
        else { return nil }
        return (message, stored.hasSameContent(as: post))
    }

    func retry(_ key: String) async {
        await input { core in
            await core.handle(core.outbox.retry(key))
        }
    }

    func discard(_ key: String) async -> Bool {
        await withCheckedContinuation { continuation in
            Task {
                await self.input { core in
                    guard !core.discardPostWithoutUser(key) else { return continuation.resume(returning: true) }
                    core.discards[key, default: []].append(continuation)
                    await core.handle(core.outbox.discard(key))
                }
            }
        }
    }

    /// Discards a post that waits for the user to be known.
    /// - Returns: whether it was such a post.
    private func discardPostWithoutUser(_ key: String) -> Bool {
        guard let index = postsWithoutUser.firstIndex(where: { $0.key == key }) else { return false }
        postsWithoutUser.remove(at: index)
        posts.remove(key)?.discarded()
        return true
    }

    /// Returns whether the post was changed, which is possible before the first attempt to send it.
    func edit(post key: String, payload: JSONValue) async -> Bool {
        let changed = LatestValue(false)
        await input { core in
            if let index = core.postsWithoutUser.firstIndex(where: { $0.key == key }) {
                core.postsWithoutUser[index].payload = payload
                core.posts[key]?.update(core.postsWithoutUser[index])
                return changed.set(true)
            }
            let actions = core.outbox.edit(key, payload: payload)
            await core.handle(actions)
            guard let post = core.outbox.post(key) else { return }
            // Another process may have begun to send it with the former payload.
            changed.set(actions.contains(.edited(key, isChanged: true)) && post.payload == payload)
            core.posts[key]?.update(post)
        }
        return changed.value
    }

    // MARK: Sending

    /// Makes one attempt.
    func send(_ post: OwnPost) async {
        var body: JSONObject = [
            "roomId": .string(post.roomID), "messageType": .string(post.messageType), "payload": post.payload,
            "clientMessageId": .string(post.key),
        ]
        if let reply = post.replyToMessageID { body["replyToMessageId"] = JSONValue(reply) }
        guard (try? await addresses()) != nil else {
            return await input { core in await core.handle(core.outbox.noAnswer(post.key, isUnsent: true)) }
        }
        do {
            let used = token
            let response = try await call(
                .post, .messages, "/api/v1/messages", .object(body), isKeyed: true, token: used)
            let json = try? JSONParser.parse(response.body)
            await input { core in
                if response.status == 401 { await core.unauthorized(used) }
                if (200..<300).contains(response.status), core.outbox.post(post.key) != nil {
                    core.storedMessages[post.key] = json?.object.flatMap(Message.init(json:))
                }
                if response.isRepeated { core.outbox.repeated(post.key) }
                await core.handle(
                    core.outbox.answer(
                        post.key, status: response.status, code: json?["code"]?.string,
                        isProblem: response.headers["content-type"]?.hasPrefix("application/problem+json") ?? false,
                        retryAfterMilliseconds: response.retryAfterMilliseconds, stored: StoredPosition(json: json)))
            }
        } catch {
            await input { core in await core.handle(core.outbox.noAnswer(post.key)) }
        }
    }
}
