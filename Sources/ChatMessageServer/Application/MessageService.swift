import ChatEvents
import ChatStorage
import CommonUtil

/// Posting and reading messages.
struct MessageService: Sendable {
    let writer: MessageWriter
    let messages: MessageRepository
    let log: EventLog
    let rooms: RoomRepository
    let reader: RoomReader
    let authMode: AuthMode

    // MARK: Posting

    /// - Returns: the message, and whether it was stored now (201) or before, under the same key (200).
    func post(_ draft: MessageDraft) async throws -> (message: Message, isNew: Bool) {
        var outcome = try await writer.post(draft)
        if outcome == .refused(.roomNotFound), authMode == .trusted {
            try await rooms.makeOpenRoom(draft.roomID)
            outcome = try await writer.post(draft)
        }
        switch outcome {
        case .stored(let message): return (message, true)
        case .repeated(let message): return (message, false)
        case .refused(let refusal): throw Self.error(refusal)
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

    // MARK: Reading

    /// - Throws: `message_not_found` also for a message of a room that this user may not know of.
    func message(_ messageID: MessageID, for userID: UserID) async throws -> Message {
        guard let message = try await messages.message(messageID),
            let access = try await rooms.access(to: message.roomID, of: userID), access.isVisible
        else { throw ChatError(.messageNotFound) }
        return message
    }

    func history(
        of roomID: RoomID, for userID: UserID, before: Seq?, after: Seq?, limit: Int
    ) async throws -> HistoryPage<Message> {
        try await reader.requireReadable(roomID, by: userID)
        let (messages, hasMore) = try await messages.history(of: roomID, before: before, after: after, limit: limit)
        let next = hasMore ? messages.last?.seq : nil
        return HistoryPage(
            items: messages, hasMore: hasMore, nextBefore: after == nil ? next : nil,
            nextAfter: after == nil ? nil : next)
    }

    func events(of roomID: RoomID, for userID: UserID, after: Seq, limit: Int) async throws -> HistoryPage<RoomEvent> {
        try await reader.requireReadable(roomID, by: userID)
        let (events, hasMore) = try await log.events(of: roomID, after: after, limit: limit)
        return HistoryPage(items: events, hasMore: hasMore, nextAfter: hasMore ? events.last?.seq : nil)
    }
}
