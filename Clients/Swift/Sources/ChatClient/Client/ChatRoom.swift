/// A room, whether or not the user is in it.
public final class ChatRoom: Sendable {
    /// The id.
    public let id: String
    private let core: ChatCore
    private let sources: RoomSources

    init(id: String, core: ChatCore) {
        self.id = id
        self.core = core
        sources = core.sources.of(id)
    }

    // MARK: What happens

    /// The events after a place in the log: each once, in order. An application that keeps the position of the last event
    /// that it has dealt with, in one step with what it did, deals with each exactly once.
    /// - Parameters:
    ///   - seq: the last event that was dealt with; 0: all; `nil`: what happens from now on.
    ///   - mark: that event's mark, which tells whether the server still has the same log.
    public func events(after seq: Int64? = nil, mark: String? = nil) -> ChatEvents {
        ChatEvents(
            core: core, roomID: id, start: seq.map { .after(LogPosition(seq: $0, mark: mark)) } ?? .now)
    }

    /// The events of a reader whose position is kept under a name: each at least once. After a death the last event that was
    /// given comes again, and no other.
    /// - Parameters:
    ///   - name: one reader at a time has it; another one's first `next()` throws `in_use`.
    ///   - position: where a new name begins; `nil`: at what happens from now on.
    public func events(as name: String, after position: LogPosition? = nil) -> ChatEvents {
        ChatEvents(core: core, roomID: id, start: .name(name, position))
    }

    /// The newest messages, edits and deletions applied, own posts that are not stored yet last. This opens the room: its log
    /// is kept from now on.
    public var messages: LatestValues<RoomMessages> {
        core.command { [id] core in await core.open(id) }
        return LatestValues(source: sources.messages)
    }

    /// The states of the room.
    public var states: LatestValues<RoomState> { LatestValues(source: sources.states) }

    /// Typing, receipts, resets. Of a consumer that is too slow the oldest are dropped.
    public func notices() -> AsyncStream<RoomNotice> {
        let (core, id) = (core, id)
        Task { await core.listen(id, by: 1) }
        return sources.notices.consume { Task { await core.listen(id, by: -1) } }
    }

    /// The room as the list of rooms has it; `nil` where the user is not in it.
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

    /// Puts a message in the line of those to be sent, and returns at once.
    /// - Parameter key: the same key, in any process, is the same message.
    public func post(_ content: MessageContent, key: String? = nil) -> Post {
        let key =
            key ?? String(UInt64.random(in: 0...UInt64.max), radix: 36)
            + String(UInt64.random(in: 0...UInt64.max), radix: 36)
        return core.follow(
            OwnPost(
                key: key, roomID: id, messageType: content.messageType, payload: content.payload,
                replyToMessageID: content.replyToMessageID, createdAt: System.wallClock))
    }

    /// Edits a message.
    public func edit(_ messageID: Int64, _ payload: JSONValue) async throws -> Message {
        let json = try await core.rest(.patch, .messages, "/api/v1/messages/\(messageID)", ["payload": payload])
        let message = try ChatClient.read(json, Message.init(json:))
        await core.changed(message)
        return message
    }

    /// Edits a post that no try was made of.
    /// - Returns: whether it was changed; otherwise edit the message once it is stored.
    public func edit(_ post: Post, _ payload: JSONValue) async -> Bool {
        await core.edit(post: post.key, payload: payload)
    }

    /// Deletes a message.
    public func delete(_ messageID: Int64) async throws {
        try await core.rest(.delete, .messages, "/api/v1/messages/\(messageID)")
    }

    // MARK: The rest

    /// Adds older messages to ``messages``.
    /// - Returns: whether there are more.
    @discardableResult
    public func loadOlder(_ count: Int = 50) async throws -> Bool { try await core.loadOlder(id, limit: count) }

    /// Shows the newest messages again, after so many older ones were loaded that those had to give way.
    public func toEnd() async { await core.toEnd(id) }

    /// Marks the room as read; kept, and sent to the server when that is possible.
    /// - Parameter seq: how far; `nil`: all.
    public func markRead(_ seq: Int64? = nil) async { await core.markRead(id, seq) }

    /// Says that the user types; the server ends it after 10 s.
    public func typing(_ isTyping: Bool = true) async { await core.typing(id, isTyping) }

    /// Leaves the room.
    public func leave() async throws { try await core.rest(.post, .system, "/api/v1/rooms/\(id.percentEncoded)/leave") }

    /// The members of the room.
    public func members(cursor: String? = nil) async throws -> Page<Member> {
        try await core.page("/api/v1/rooms/\(id.percentEncoded)/members", cursor, Member.init(json:))
    }
}
