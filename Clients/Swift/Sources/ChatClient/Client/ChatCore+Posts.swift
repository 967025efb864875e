/// Posts that are not stored by the server yet.
extension ChatCore {
    func handle(_ actions: [Outbox.Action]) async {
        guard !actions.isEmpty else { return }
        for action in actions {
            switch action {
            case .keep(let key, let isLast): await keep(key, isLast: isLast)
            case .keepDone(let key, let place): await keep([.postDone(key: key, place)])
            case .post(let key, _): if let post = outbox.post(key) { posts[key]?.update(post) }
            case .stored(let key, let place):
                publishOutbox()
                stored(key, place)
            case .send(let key): if let post = outbox.post(key) { effects?.yield(.send(post)) }
            case .discarded(let key, let isGone):
                publishOutbox()
                if isGone { posts.remove(key)?.discarded() }
                for waiting in discards.removeValue(forKey: key) ?? [] { waiting.resume(returning: isGone) }
            case .probe: effects?.yield(.probe)
            case .rejected(let key, _):
                publishOutbox()
                posts.remove(key)?.fail(Self.reused)
            case .edited: break
            }
        }
        publishOutbox()
        for id in rooms.keys where rooms[id]?.isWanted == true { setPosts(of: id) }
    }

    /// Called also before the end of a post is reported: whoever waits for it looks at the outbox next.
    private func publishOutbox() { outboxes.set(outbox.posts) }

    private func keep(_ changes: [ClientStorage.Change]) async {
        do { try await storage?.keep(changes) } catch { report(error) }
    }

    private func keep(_ key: String, isLast: Bool) async {
        guard let storage, let post = outbox.post(key) else { return }
        guard post.state == .new else { return await put(post, isLast: isLast, storage) }
        do {
            let added = try await storage.add(post, isRunning: effects != nil)
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

    private func put(_ post: OwnPost, isLast: Bool, _ storage: ClientStorage) async {
        do {
            guard try await !storage.put(post, isMoved: isLast) else { return }
            await apply(try await storage.refreshOutbox(isRunning: effects != nil))
        } catch {
            report(error)
        }
    }

    /// Applies the posts of the store, where other processes write, too.
    func apply(_ contents: ClientStorage.Outbox) async {
        for broken in contents.broken {
            report(ChatError(.storeFailed, "A post could not be read and was put aside as broken/\(broken.suffix(80))"))
        }
        holdsSender = contents.isSender && !contents.posts.isEmpty
        await handle(outbox.loaded(contents.posts, done: contents.done, isSender: contents.isSender))
    }

    private func stored(_ key: String, _ place: StoredPosition) {
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

    static let reused = ChatError(.clientMessageIDReused, "The key was used for other content", status: 409)

    // MARK: The application

    /// The object that follows a post: the same one for the same key while it is on its way.
    nonisolated func follow(_ post: OwnPost) -> Post {
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
        // What was first sent is not known of an edited message, nor where the server adds what it knows of a file. It decides.
        if let logged = rooms[post.roomID]?.log.timeline?.ownMessage(post.key), !logged.isEdited, !logged.isDeleted,
            post.payload["fileId"] == nil || post.payload["fileId"] != logged.content?["fileId"]
        {
            let isSame =
                logged.messageType == post.messageType && logged.content == post.payload
                && logged.replyToMessageID == post.replyToMessageID
            let followed = posts.remove(post.key)
            if isSame { followed?.stored(logged) } else { followed?.fail(Self.reused) }
            return
        }
        let actions = outbox.add(post)
        if let known = outbox.post(post.key), known.state != .new { posts[post.key]?.update(known) }
        await handle(actions)
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
            changed.set(actions.contains(.edited(key, isChanged: true)))
            await core.handle(actions)
            if let post = core.outbox.post(key) { core.posts[key]?.update(post) }
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
        do {
            let used = token
            let response = try await call(
                .post, .messages, "/api/v1/messages", .object(body), isKeyed: true, token: used)
            let json = try? JSONParser.parse(response.body)
            await input { core in
                if response.status == 401, core.token == used { await core.handle(core.connection.unauthorized()) }
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
