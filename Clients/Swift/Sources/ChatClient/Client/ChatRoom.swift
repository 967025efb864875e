/// A room, whether or not the user is in it.
public final class ChatRoom: Sendable {
    /// The id.
    public let id: String
    private static let maximumKey = 64

    private let core: ChatCore
    private let sources: RoomSources

    init(id: String, core: ChatCore) {
        self.id = id
        self.core = core
        sources = core.sources.of(id)
    }

    // MARK: Events

    /// The events after a place in the log: each once, in order. An application that stores the position of the last
    /// event together with the effects of processing it, in one transaction, processes each event exactly once.
    /// - Parameters:
    ///   - seq: the last event that was processed; 0 means all events, `nil` those from now on.
    ///   - mark: that event's mark, which shows whether the server still has the same log.
    public func events(after seq: Int64? = nil, mark: String? = nil) -> ChatEvents {
        ChatEvents(
            core: core, roomID: id, start: seq.map { .after(LogPosition(seq: $0, mark: mark)) } ?? .now)
    }

    /// The events of a reader whose position is stored under a name, each at least once. After a crash only the last
    /// event that was delivered is repeated.
    /// - Parameters:
    ///   - name: one reader at a time has it; another one's first `next()` throws `in_use`.
    ///   - position: the start of a new name; `nil` means from now on.
    public func events(as name: String, after position: LogPosition? = nil) -> ChatEvents {
        ChatEvents(core: core, roomID: id, start: .name(name, position))
    }

    /// The newest messages, edits and deletions applied, own posts that are not stored yet last. This opens the room:
    /// its log is stored from now on.
    public var messages: LatestValues<RoomMessages> {
        core.command { [id] core in await core.open(id) }
        return LatestValues(source: sources.messages)
    }

    /// The states of the room.
    public var states: LatestValues<RoomState> { LatestValues(source: sources.states) }

    /// Typing, receipts, resets. A consumer that is too slow loses the oldest.
    ///
    /// The server sends typing and receipts for 50 rooms at most. If there are consumers of more, those of the rooms
    /// that were asked for first are left out.
    public func notices() -> AsyncStream<RoomNotice> {
        let (core, id) = (core, id)
        Task { await core.listen(id, by: 1) }
        return sources.notices.consume { Task { await core.listen(id, by: -1) } }
    }

    /// The room as the list of rooms has it; `nil` if the user is not in it.
    public var info: RoomInfo? { core.roomLists.value.first { $0.roomID == id } }

    // MARK: Sending

    /// Sends a message and waits until the server has it. Cancelling this stops the waiting, not the message.
    /// - Parameter key: the same key, in any process, is the same message. At most 64 characters.
    /// - Throws: ``ChatError`` with the code of the refusal.
    @discardableResult
    public func send(_ content: MessageContent, key: String? = nil) async throws -> Message {
        try await post(content, key: key).stored()
    }

    /// Sends a text and waits until the server has it.
    @discardableResult
    public func send(_ text: String, key: String? = nil) async throws -> Message {
        try await send(MessageContent(text: text), key: key)
    }

    /// Queues a message to be sent, and returns at once.
    /// - Parameter key: the same key, in any process, is the same message.
    public func post(_ content: MessageContent, key: String? = nil) -> Post {
        core.follow(
            OwnPost(
                key: key ?? Self.newKey(), roomID: id, messageType: content.messageType, payload: content.payload,
                replyToMessageID: content.replyToMessageID, createdAt: System.wallClock))
    }

    /// Uploads a file, then queues a message that names it.
    ///
    /// An upload that breaks is repeated, and the file is stored once. It ends if the task is cancelled, and with
    /// `closed` if ``ChatClient/run()`` ends. Until this returns, file and message are in this process only; from then
    /// on the message is in the outbox.
    /// - Parameters:
    ///   - caption: a text that is shown with the file.
    ///   - key: the same key, in any process, is the same file and the same message: after a crash, send it again. A
    ///     key of more than 64 characters in percent-encoding is the same message, but its file is uploaded again.
    ///   - messageType: `nil` means the type of the bytes as the server sees it: `image`, `video`, `audio`, or else
    ///     `file`.
    ///   - payload: further members of the payload.
    ///   - onProgress: called each time that bytes were handed to the network; the next ones wait until it returns.
    /// - Throws: ``ChatError`` with the code of the refusal, such as `file_too_large`, `file_quota`, `files_off`, or
    ///   `invalid` if the file cannot be read; `CancellationError`.
    public func sendFile(
        _ file: OutgoingFile, caption: String? = nil, key: String? = nil, replyTo messageID: Int64? = nil,
        messageType: String? = nil, payload: JSONObject = [:],
        onProgress: @escaping @Sendable (UploadProgress) -> Void = { _ in }
    ) async throws -> Post {
        let key = key ?? Self.newKey()
        let stored = try await core.upload(file, to: id, key: Self.uploadKey(of: key), onProgress: onProgress)
        var content: JSONObject = ["fileId": .string(stored.fileID)]
        if let caption { content["caption"] = .string(caption) }
        for (name, value) in payload.members { content[name] = value }
        let message = MessageContent(
            messageType: messageType ?? stored.messageType, payload: .object(content), replyTo: messageID)
        let post = post(message, key: key)
        // If it cannot be kept, `stored()` throws the reason, too.
        _ = try? await post.kept()
        return post
    }

    /// The key of the upload for the key of a message: one that fits into an HTTP field.
    private static func uploadKey(of key: String) -> String {
        let encoded = key.percentEncoded
        return encoded.utf8.count <= maximumKey ? encoded : newKey()
    }

    private static func newKey() -> String {
        String(UInt64.random(in: 0...UInt64.max), radix: 36) + String(UInt64.random(in: 0...UInt64.max), radix: 36)
    }

    /// Edits a message.
    public func edit(_ messageID: Int64, _ payload: JSONValue) async throws -> Message {
        let json = try await core.rest(.patch, .messages, "/api/v1/messages/\(messageID)", ["payload": payload])
        let message = try ChatClient.read(json, Message.init(json:))
        await core.changed(message)
        return message
    }

    /// Edits a post that is refused, or that no process has begun to send.
    /// - Returns: whether it was changed; otherwise edit the message once it is stored.
    public func edit(_ post: Post, _ payload: JSONValue) async -> Bool {
        await core.edit(post: post.key, payload: payload)
    }

    /// Deletes a message.
    public func delete(_ messageID: Int64) async throws {
        try await core.rest(.delete, .messages, "/api/v1/messages/\(messageID)")
    }

    // MARK: Other calls

    /// Adds older messages to ``messages``, once the head of the room's log is known. During another such call it waits
    /// for that one instead.
    /// - Returns: whether there are more.
    /// - Throws: ``ChatError`` with code `timeout` if the head is not known within 20 s, `closed`, or the error of the
    ///   call.
    @discardableResult
    public func loadOlder(_ count: Int = 50) async throws -> Bool { try await core.loadOlder(id, limit: count) }

    /// Shows the newest messages again, after loading older ones has pushed them out of ``messages``.
    public func toEnd() async { await core.toEnd(id) }

    /// Marks the room as read. The mark is stored, and sent to the server when that is possible.
    /// - Parameter seq: the last event that was read; `nil` means the last one of the room.
    public func markRead(_ seq: Int64? = nil) async { await core.markRead(id, seq) }

    /// Informs other members that the user types; the server ends it after 10 s.
    public func typing(_ isTyping: Bool = true) async { await core.typing(id, isTyping) }

    /// Leaves the room.
    public func leave() async throws { try await core.rest(.post, .system, "/api/v1/rooms/\(id.percentEncoded)/leave") }

    /// The members of the room.
    public func members(cursor: String? = nil) async throws -> Page<Member> {
        try await core.page("/api/v1/rooms/\(id.percentEncoded)/members", cursor, Member.init(json:))
    }
}
