import ChatEventBus
import ChatEvents
import ChatStorage
import CommonUtil

/// The use cases of messages: posting, changing and reading them.
struct MessageService: Sendable {
    let writer: MessageWriter
    let messages: MessageRepository
    let log: EventLog
    let rooms: RoomRepository
    let files: FileRepository
    let users: UserResolver
    let publisher: EventPublisher
    let authMode: AuthMode
    /// Asked about posts and edits of users; `nil` if none is set.
    let hook: MessageHook?

    // MARK: Posting

    /// A post that is stored.
    enum Posted: Sendable {
        /// Stored now.
        case now(PostedMessage)
        /// Stored before, under the same key.
        case before(Message)
        /// Stored before, in a room that the sender may no longer read.
        case repeatedWithoutAccess(PostReceipt)
    }

    /// Stores a user's message, if the hook lets it; the writer publishes it.
    /// - Parameter reply: called once: as ``MessageWriter/post(_:reply:)`` does, or in a task where the hook was asked, a room had to
    ///   be made or the message names a file.
    func post(_ draft: MessageDraft, reply: @escaping @Sendable (Result<Posted, any Error>) -> Void) {
        guard let hook else { return store(draft, reply: reply) }
        Task {
            do {
                let approved = try await hook.approve(draft) { try await checkPosting(draft) }
                store(approved, reply: reply)
            } catch {
                reply(.failure(error))
            }
        }
    }

    /// Checks what is known without the room's lock, so that the hook is asked only about what can be stored.
    private func checkPosting(_ draft: MessageDraft) async throws {
        let access = try await rooms.access(to: draft.roomID, of: draft.senderID)
        guard let access else {
            // The first post to a room of `trusted` mode makes it.
            guard authMode == .trusted else { throw ChatError(.roomNotFound) }
            return
        }
        try rules(access, for: draft.senderID).checkPosting()
    }

    private func rules(_ access: RoomAccess, for userID: UserID) -> MessageRules {
        MessageRules(room: access.room, role: access.role, userID: userID, isOpen: authMode == .trusted)
    }

    private func store(_ draft: MessageDraft, reply: @escaping @Sendable (Result<Posted, any Error>) -> Void) {
        let isOpen = authMode == .trusted
        guard draft.fileID == nil else {
            // Its file has to be locked, which the writer's batches do not do.
            Task { reply(await postFile(draft, isOpen: isOpen)) }
            return
        }
        // Captures only the parts that are needed: this service has many.
        writer.post(draft) { [rooms, writer] result in
            guard case .success(.refused(.roomNotFound)) = result, isOpen else {
                return reply(result.flatMap(Self.posted))
            }
            // The first post to a room of `trusted` mode. This is `RoomRepository.withOpenRoom` for a caller with a
            // closure, whose first attempt has been made.
            Task {
                do {
                    try await rooms.makeOpenRoom(draft.roomID)
                    reply(Self.posted(try await writer.post(draft)))
                } catch {
                    reply(.failure(error))
                }
            }
        }
    }

    private func postFile(_ draft: MessageDraft, isOpen: Bool) async -> Result<Posted, any Error> {
        do {
            let (outcome, events) = try await rooms.postFile(draft, isOpen: isOpen)
            publisher.publish(events)
            return Self.posted(outcome)
        } catch {
            return .failure(error)
        }
    }

    /// Stores a message that a server's key posts for the installation or in a user's name, and publishes it.
    /// - Throws: `validation_failed` for a sender that there is not; `room_not_found`, `room_archived`,
    ///   `client_message_id_reused`.
    func post(_ fields: FieldReader, by keyName: KeyName) async throws -> KeyPosted {
        let sender = try PostRequest.sender(fields)
        var senderID: UserID?
        if let sender {
            senderID = try await users.user(sender)
            guard senderID != nil else { throw ChatError.invalid(EventKey.senderID, "there is no such user") }
        }
        let draft = try PostRequest.draft(fields, ofKeyFor: senderID)
        let post = KeyPost(draft, by: keyName)
        let changed = try await rooms.withOpenRoom(draft.roomID, isOpen: authMode == .trusted) {
            try await rooms.withLockedRoom(draft.roomID) { try await $0.post(post) }
        }
        guard let changed else { throw ChatError(.roomNotFound) }
        publisher.publish(changed.events)
        switch try Self.posted(changed.result).get() {
        case .now(let posted):
            return KeyPosted(message: posted.message, clientMessageID: draft.clientMessageID, isNew: true)
        case .before(let message):
            return KeyPosted(message: message, clientMessageID: draft.clientMessageID, isNew: false)
        case .repeatedWithoutAccess: throw ChatError(.roomNotFound)
        }
    }

    private static func posted(_ outcome: PostOutcome) -> Result<Posted, any Error> {
        switch outcome {
        case .stored(let posted): .success(.now(posted))
        case .repeated(let message): .success(.before(message))
        case .repeatedWithoutAccess(let receipt): .success(.repeatedWithoutAccess(receipt))
        case .refused(let refusal): .failure(error(refusal))
        }
    }

    private static func error(_ refusal: PostRefusal) -> ChatError {
        switch refusal {
        case .roomNotFound: ChatError(.roomNotFound)
        case .notAMember: ChatError(.notAMember)
        case .roomArchived: ChatError(.roomArchived)
        case .keyReused: ChatError(.clientMessageIdReused)
        case .replyNotFound: .invalid(EventKey.replyToMessageID, "must name a message of this room that is not deleted")
        }
    }

    // MARK: Changing

    /// Replaces a message's payload. An edit that changes nothing is no event.
    /// - Returns: the message as it is now.
    /// - Throws: `message_not_found`, the errors of ``MessageRules/checkEditing(_:)``, `validation_failed`; those of
    ///   ``MessageHook``.
    func edit(_ messageID: MessageID, payload: JSONObject, by userID: UserID) async throws -> Message {
        let message = try await message(messageID, for: userID)
        // Before the lock, since it may take a while. Its error is thrown after the rules, which decide whether the
        // caller may know anything.
        var content = Result { () throws(ChatError) in
            try MessagePayload.canonicalText(payload, type: message.type)
        }
        if let hook, case .success(let text) = content, message.isEditable(by: userID),
            try await message.differs(from: filled(text, of: message))
        {
            // As far as it is known without the lock: the hook is asked only about what can be stored.
            guard let access = try await rooms.access(to: message.roomID, of: userID) else {
                throw ChatError(.messageNotFound)
            }
            try rules(access, for: userID).checkEditing(message)
            content = .success(try await hook.approve(text, of: message))
        }
        return try await change(message, by: userID) { [content] room, message, rules in
            try rules.checkEditing(message)
            var content = try content.get()
            // Of the content that is stored: the hook may have put another in place of what was sent.
            let fileID = MessagePayload.fileID(content, type: message.type)
            if let fileID {
                guard let file = try await room.file(fileID, of: message.senderID) else { throw LockedRoom.unknownFile }
                content = try file.filling(content)
            }
            guard message.differs(from: content) else { return message }
            return try await room.edit(message, to: content, naming: fileID, by: userID)
        }
    }

    /// The content with what is known of the file that it names, as it would be stored. Only an edit that changes something
    /// is asked about.
    private func filled(_ content: String, of message: Message) async throws -> String {
        guard let fileID = MessagePayload.fileID(content, type: message.type),
            case .file(let file) = try await files.file(fileID, for: nil)
        else { return content }
        return (try? file.filling(content)) ?? content
    }

    /// Deletes a message and leaves a tombstone. Deleting it again changes nothing.
    /// - Throws: `message_not_found`, the errors of ``MessageRules/checkDeleting(_:)``.
    func delete(_ messageID: MessageID, by userID: UserID) async throws {
        try await change(try await message(messageID, for: userID), by: userID) { room, message, rules in
            try rules.checkDeleting(message)
            if !message.isDeleted { try await room.delete(message, by: userID) }
        }
    }

    /// Changes a message under its room's lock, and publishes the events.
    private func change<Result: Sendable>(
        _ message: Message, by userID: UserID,
        _ body: @escaping @Sendable (inout LockedRoom, Message, MessageRules) async throws -> Result
    ) async throws -> Result {
        let isOpen = authMode == .trusted
        let changed = try await rooms.withLockedRoom(message.roomID) { room in
            let role = try await room.actor(userID)?.role
            guard let message = try await room.message(message.messageID) else { throw ChatError(.messageNotFound) }
            let rules = MessageRules(room: room.room, role: role, userID: userID, isOpen: isOpen)
            return try await body(&room, message, rules)
        }
        guard let changed else { throw ChatError(.messageNotFound) }
        publisher.publish(changed.events)
        return changed.result
    }

    // MARK: Reading

    /// Reads a message.
    /// - Throws: `message_not_found` also for a message of a room that is hidden from this user.
    func message(_ messageID: MessageID, for userID: UserID) async throws -> Message {
        guard let message = try await messages.message(messageID, for: userID) else {
            throw ChatError(.messageNotFound)
        }
        return message
    }

    /// Reads a page of a room's messages.
    /// - Throws: `room_not_found` also for a room that is hidden from this user.
    func history(
        of roomID: RoomID, for userID: UserID, before: Seq?, after: Seq?, limit: Int
    ) async throws -> HistoryPage<Message> {
        let fetched = try await rooms.read(in: roomID, isOpen: authMode == .trusted) {
            try await messages.history(of: roomID, for: userID, before: before, after: after, limit: limit + 1)
        }
        var page = HistoryPage(fetched: fetched, limit: limit)
        let next = page.hasMore ? page.items.last?.seq : nil
        if after == nil { page.nextBefore = next } else { page.nextAfter = next }
        return page
    }

    /// Reads a page of a room's log.
    /// - Parameter mark: that of the event `after`, as the reader has it; `nil` if it does not matter.
    /// - Throws: `room_not_found` also for a room that is hidden from this user; `log_mismatch`.
    func events(
        of roomID: RoomID, for userID: UserID, after: Seq, mark: EventMark?, limit: Int
    ) async throws -> HistoryPage<RoomEvent> {
        let rows = try await rooms.read(in: roomID, isOpen: authMode == .trusted) {
            try await log.rows(of: roomID, for: userID, after: after, limit: limit)
        }
        let page = LogPage(rows: rows, after: after, limit: limit)
        if let mark, mark != page.mark { throw ChatError(.logMismatch) }
        return HistoryPage(
            items: page.events, hasMore: page.hasMore, nextAfter: page.hasMore ? page.events.last?.seq : nil)
    }
}

extension Message {
    /// Whether a content is another one.
    fileprivate func differs(from content: String) -> Bool { !content.hasSameBytes(as: contentJSON) }

    /// Whether a user may edit it, as far as that is known without the room's lock.
    fileprivate func isEditable(by userID: UserID) -> Bool {
        senderID == userID && !userID.isInstallation && !isDeleted
    }
}

/// The response to a post with a server's key: the message, with the `clientMessageId` that is the key's own.
struct KeyPosted: JSONEncodable {
    let message: Message
    let clientMessageID: String?
    /// Whether it was stored now, and not before under the same `clientMessageId`.
    let isNew: Bool

    func write(to writer: inout JSONWriter) { message.write(to: &writer, keysClientMessageID: clientMessageID) }
}

/// A page of a room's history or log: `{items, hasMore, nextBefore?, nextAfter?}`.
struct HistoryPage<Item: JSONEncodable>: JSONEncodable {
    let items: [Item]
    let hasMore: Bool
    /// The `before` of the next older page.
    var nextBefore: Seq?
    /// The `after` of the next newer page.
    var nextAfter: Seq?

    /// - Parameter fetched: up to `limit + 1` items, by which a further page is known.
    init(fetched: [Item], limit: Int) {
        self.init(items: Array(fetched.prefix(limit)), hasMore: fetched.count > limit)
    }

    init(items: [Item], hasMore: Bool, nextAfter: Seq? = nil) {
        self.items = items
        self.hasMore = hasMore
        self.nextAfter = nextAfter
    }

    func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.key("items")
            writer.array(items) { $1.write(to: &$0) }
            writer.member("hasMore", hasMore)
            writer.member("nextBefore", ifPresent: nextBefore)
            writer.member("nextAfter", ifPresent: nextAfter)
        }
    }
}
