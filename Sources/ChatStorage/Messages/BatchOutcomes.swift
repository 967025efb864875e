import ChatEvents
import CommonUtil
import PostgresClient

/// Reads what PostgreSQL made of a batch.
struct BatchOutcomes {
    typealias Outcome = Result<PostOutcome, any Error>

    /// For the messages that repeated keys stand for.
    let client: PostgresClient

    /// - Returns: an outcome for each draft, in order.
    func read(_ rows: PostgresRows, of drafts: [MessageDraft]) async throws(PostgresError) -> [Outcome] {
        var outcomes = [Outcome](repeating: .success(.refused(.roomNotFound)), count: drafts.count)
        var priorIDs: [(index: Int, messageID: MessageID)] = []
        for row in rows {
            let ordinal = try row.decode(column: 0, as: Int.self)
            let verdict = try row.decode(column: 1, as: String.self)
            if let refusal = PostRefusal(rawValue: verdict) {
                outcomes[ordinal] = .success(.refused(refusal))
            } else if verdict == MessageBatchStatements.repeated {
                priorIDs.append((ordinal, MessageID(try row.decode(column: 5))))
            } else {
                let message = Message(
                    MessageID(try row.decode(column: 2)), try row.decode(column: 3), drafts[ordinal],
                    sentAt: try row.timestamp(column: 4))
                outcomes[ordinal] = .success(.stored(message))
            }
        }
        guard !priorIDs.isEmpty else { return outcomes }
        do throws(PostgresError) {
            let messages = try await priors(priorIDs.map(\.messageID))
            for (index, messageID) in priorIDs {
                if let message = messages[messageID] { outcomes[index] = .success(.repeated(message)) }
            }
        } catch {
            // The batch is committed: its other posts must be told whatever becomes of these.
            for (index, _) in priorIDs { outcomes[index] = .failure(Self.told(error)) }
        }
        return outcomes
    }

    /// What they are told whose batch failed.
    static func told(_ error: PostgresError) -> any Error {
        switch error {
        case .closed, .cancelled: ChatDatabase.unavailable(error)
        default: error.isTransient || error.isOutcomeUnknown ? ChatDatabase.unavailable(error) : error
        }
    }

    private func priors(_ messageIDs: [MessageID]) async throws(PostgresError) -> [MessageID: Message] {
        var messages: [MessageID: Message] = [:]
        for row in try await client.batch([MessageBatchStatements.priorCommand(messageIDs)])[0] {
            let message = try Message(row)
            messages[message.messageID] = message
        }
        return messages
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
