/// A line of a room as it is shown: a message, or an own post that has no place in the log yet.
public struct ShownMessage: Sendable, Hashable, Identifiable {
    /// The same before and after a post is stored.
    public let key: String
    /// The message, once it is stored.
    public let message: Message?
    /// The own post, until the log shows it.
    public let post: OwnPost?

    /// The key.
    public var id: String { key }

    /// The text of a text message.
    public var text: String? { message.map(\.text) ?? post?.payload["text"]?.string }

    init(_ message: Message, ofUser userID: Int64?) {
        let own = message.senderID == userID ? message.clientMessageID : nil
        key = own.map(Self.key(ofPost:)) ?? "id:\(message.messageID)"
        self.message = message.withoutEventType
        post = nil
    }

    init(_ post: OwnPost) {
        key = Self.key(ofPost: post.key)
        message = nil
        self.post = post
    }

    private init(key: String, _ message: Message) {
        self.key = key
        self.message = message
        post = nil
    }

    func changed(by change: Message) -> ShownMessage {
        message.map { ShownMessage(key: key, $0.changed(by: change)) } ?? self
    }

    static func key(ofPost key: String) -> String { "own:\(key)" }
}

/// The messages of a room that are shown: without a gap, edits and deletions applied.
public struct RoomMessages: Sendable, Hashable {
    /// Ascending; own posts that are not stored yet are last.
    public let items: [ShownMessage]
    /// Whether there are older ones.
    public let hasMore: Bool
    /// Whether these end at the end of the log.
    public let isAtEnd: Bool
    /// Number of messages after these.
    public let newerCount: Int
}
