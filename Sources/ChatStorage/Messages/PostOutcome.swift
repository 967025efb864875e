import ChatEvents
import CommonUtil
import PostgresClient

/// The result of a post, decided under its room's lock.
public enum PostOutcome: Equatable, Sendable {
    /// Called once with the outcome, or with the error that a client gets.
    public typealias Reply = @Sendable (Result<PostOutcome, any Error>) -> Void

    /// Committed now.
    case stored(PostedMessage)
    /// Committed before, under the same key and for the same request.
    case repeated(Message)
    /// As ``repeated(_:)``, in a room that the sender may no longer read.
    case repeatedWithoutAccess(PostReceipt)
    case refused(PostRefusal)
}

/// Why a post was not stored.
public enum PostRefusal: String, Equatable, Sendable {
    /// No such room, or one that is hidden from this sender.
    case roomNotFound = "room_not_found"
    /// A public room that the sender has not joined.
    case notAMember = "not_a_member"
    case roomArchived = "room_archived"
    case replyNotFound = "reply_not_found"
    /// The key belongs to another request.
    case keyReused = "key_reused"
}

/// What a sender without access to the room gets for a repeated post: where the message is, not its present content.
public struct PostReceipt: Equatable, Sendable {
    public let messageID: MessageID
    public let roomID: RoomID
    /// The `seq` of the message's first event.
    public let seq: Seq
    /// When the database stored it, by the database's clock.
    public let sentAt: Timestamp
    /// The key under which it was stored.
    public let clientMessageID: String?

    init(_ message: Message) {
        messageID = message.messageID
        roomID = message.roomID
        seq = message.seq
        sentAt = message.sentAt
        clientMessageID = message.clientMessageID
    }
}

extension PostReceipt: JSONEncodable {
    /// Writes `{messageId, roomId, seq, sentAt, clientMessageId}`.
    public func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member(EventKey.messageID, messageID.rawValue)
            writer.member(EventKey.roomID, roomID.rawValue)
            writer.member(EventKey.seq, seq)
            writer.member(EventKey.sentAt, sentAt)
            writer.member(EventKey.clientMessageID, ifPresent: clientMessageID)
        }
    }
}

/// The outcomes of a batch, read from the rows of its storing statement (``MessageBatchStatements``).
struct BatchOutcomes {
    /// One for each draft, in order; `nil` if the draft repeats a key, see ``priors``. A failure where the rows do
    /// not say what became of the draft: the batch is committed, so the others have their outcomes all the same.
    private(set) var outcomes: [Result<PostOutcome, PostgresError>?]
    /// The drafts that repeat a key, and the message stored under it.
    private(set) var priors: [(index: Int, messageID: MessageID)] = []

    /// - Throws: ``PostgresError/decoding(_:)`` where a row does not have the columns of the statement.
    init(_ rows: PostgresRows, of drafts: [MessageDraft]) throws(PostgresError) {
        outcomes = Array(repeating: .failure(.decoding("a draft without a verdict")), count: drafts.count)
        for row in rows {
            let ordinal = try row.decode(column: 0, as: Int.self)
            let verdict = try row.decode(column: 1, as: String.self)
            if verdict == MessageBatchStatements.stored {
                let message = PostedMessage(
                    Message(
                        MessageID(try row.decode(column: 2)), try row.decode(column: 3), drafts[ordinal],
                        sentAt: try row.timestamp(column: 4)))
                outcomes[ordinal] = .success(.stored(message))
            } else if verdict == MessageBatchStatements.repeated {
                outcomes[ordinal] = nil
                priors.append((ordinal, MessageID(try row.decode(column: 5))))
            } else {
                outcomes[ordinal] = Self.refusal(verdict)
            }
        }
    }

    /// The messages that are stored now, in the order of their rooms' logs.
    var posted: [PostedMessage] {
        outcomes.compactMap { if case .success(.stored(let message)) = $0 { message } else { nil } }
    }

    /// Reads the rows of ``MessageBatchStatements/priorCommand(_:)``.
    /// - Returns: the outcome of repeating each message's key.
    static func repeated(_ rows: PostgresRows) throws(PostgresError) -> [MessageID: PostOutcome] {
        var outcomes: [MessageID: PostOutcome] = [:]
        for row in rows {
            let message = try Message(row, from: 1)
            let isVisible = try row.decode(column: 0, as: Bool?.self) ?? false
            outcomes[message.messageID] = isVisible ? .repeated(message) : .repeatedWithoutAccess(PostReceipt(message))
        }
        return outcomes
    }

    private static func refusal(_ verdict: String) -> Result<PostOutcome, PostgresError> {
        guard let refusal = PostRefusal(rawValue: verdict) else {
            return .failure(.decoding("a verdict is never '\(verdict)'"))
        }
        return .success(.refused(refusal))
    }
}

extension Message {
    /// The message that a draft has become.
    init(_ messageID: MessageID, _ seq: Seq, _ draft: MessageDraft, sentAt: Timestamp) {
        self.init(
            messageID: messageID, roomID: draft.roomID, seq: seq, senderID: draft.senderID, type: draft.type,
            contentJSON: draft.contentJSON, sentAt: sentAt, replyToMessageID: draft.replyToMessageID,
            clientMessageID: draft.clientMessageID)
    }
}
