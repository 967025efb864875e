import ChatEvents
import CommonUtil
import PostgresClient

/// What PostgreSQL made of a batch.
struct BatchOutcomes {
    /// For each draft, in order; `nil` where it repeats a key, see ``priors``. A failure where the answer does not tell
    /// what became of the draft: the batch is committed, so the others are told all the same.
    private(set) var outcomes: [Result<PostOutcome, PostgresError>?]
    /// The drafts that repeat a key, and what it stands for.
    private(set) var priors: [(index: Int, messageID: MessageID)] = []

    /// - Parameter rows: those of ``MessageBatchStatements``' second statement.
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

    private static func refusal(_ verdict: String) -> Result<PostOutcome, PostgresError> {
        guard let refusal = PostRefusal(rawValue: verdict) else {
            return .failure(.decoding("a verdict is never '\(verdict)'"))
        }
        return .success(.refused(refusal))
    }

    /// The messages that repeated keys stand for.
    static func read(
        _ messageIDs: [MessageID], with client: PostgresClient
    ) async -> Result<[MessageID: Message], any Error> {
        do throws(PostgresError) {
            var messages: [MessageID: Message] = [:]
            for row in try await client.batch([MessageBatchStatements.priorCommand(messageIDs)])[0] {
                let message = try Message(row)
                messages[message.messageID] = message
            }
            return .success(messages)
        } catch {
            return .failure(ChatDatabase.told(error))
        }
    }
}

extension Message {
    /// A draft that became a message.
    init(_ messageID: MessageID, _ seq: Seq, _ draft: MessageDraft, sentAt: Timestamp) {
        self.init(
            messageID: messageID, roomID: draft.roomID, seq: seq, senderID: draft.senderID, type: draft.type,
            contentJSON: draft.contentJSON, sentAt: sentAt, replyToMessageID: draft.replyToMessageID,
            clientMessageID: draft.clientMessageID)
    }
}
