import ChatEventBus
import ChatEvents
import ChatStorage
import CommonUtil

/// Posting, changing and reading messages.
struct MessageService: Sendable {
    let writer: MessageWriter
    let messages: MessageRepository
    let log: EventLog
    let rooms: RoomRepository
    let publisher: EventPublisher
    let authMode: AuthMode

    // MARK: Posting

    enum Posted: Sendable {
        case now(PostedMessage)
        /// Under the same key.
        case before(Message)
    }

    /// Answers once, in the writer's lane or, where the message cannot be stored at once, elsewhere.
    func post(_ draft: MessageDraft, answer: @escaping @Sendable (Result<Posted, any Error>) -> Void) {
        let isOpen = authMode == .trusted
        // Not all of this service, which has many parts.
        writer.post(draft) { [rooms, writer] result in
            guard case .success(.refused(.roomNotFound)) = result, isOpen else {
                return answer(result.flatMap(Self.posted))
            }
            // Once for each room that there is.
            Task {
                do {
                    try await rooms.makeOpenRoom(draft.roomID)
                    answer(Self.posted(try await writer.post(draft)))
                } catch {
                    answer(.failure(error))
                }
            }
        }
    }

    private static func posted(_ outcome: PostOutcome) -> Result<Posted, any Error> {
        switch outcome {
        case .stored(let posted): .success(.now(posted))
        case .repeated(let message): .success(.before(message))
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

    /// An edit that changes nothing is no event.
    /// - Returns: the message as it is now.
    func edit(_ messageID: MessageID, payload: JSONObject, by userID: UserID) async throws -> Message {
        let message = try await message(messageID, for: userID)
        // Before the lock, since it may take a while; told after the rules, which decide who is told anything.
        let content = Result { () throws(ChatError) in
            try MessagePayload.canonicalText(payload, type: message.type)
        }
        return try await change(message, by: userID) { room, message, rules in
            try rules.checkEditing(message)
            let content = try content.get()
            // By characters: strings that only look the same are equal to Swift, and not the same data.
            guard !content.utf8.elementsEqual(message.contentJSON.utf8) else { return message }
            return try await room.edit(message, to: content, by: userID)
        }
    }

    /// Leaves a tombstone. Deleting once more changes nothing.
    func delete(_ messageID: MessageID, by userID: UserID) async throws {
        try await change(try await message(messageID, for: userID), by: userID) { room, message, rules in
            try rules.checkDeleting(message)
            if !message.isDeleted { try await room.delete(message, by: userID) }
        }
    }

    /// Changes a message under its room's lock, and publishes what came of it.
    private func change<Result: Sendable>(
        _ message: Message, by userID: UserID,
        _ body: @escaping @Sendable (inout LockedRoom, Message, MessageRules) async throws -> Result
    ) async throws -> Result {
        let isOpen = authMode == .trusted
        let changed = try await rooms.withLockedRoom(message.roomID) { room in
            let role = try await room.member(userID)?.role
            guard let message = try await room.message(message.messageID) else { throw ChatError(.messageNotFound) }
            let rules = MessageRules(room: room.room, role: role, userID: userID, isOpen: isOpen)
            return try await body(&room, message, rules)
        }
        guard let changed else { throw ChatError(.messageNotFound) }
        publisher.publish(changed.events)
        return changed.result
    }

    // MARK: Reading

    /// - Throws: `message_not_found` also for a message of a room that this user may not know of.
    func message(_ messageID: MessageID, for userID: UserID) async throws -> Message {
        guard let message = try await messages.message(messageID, for: userID) else {
            throw ChatError(.messageNotFound)
        }
        return message
    }

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

    func events(of roomID: RoomID, for userID: UserID, after: Seq, limit: Int) async throws -> HistoryPage<RoomEvent> {
        let fetched = try await rooms.read(in: roomID, isOpen: authMode == .trusted) {
            try await log.events(of: roomID, for: userID, after: after, limit: limit + 1)
        }
        var page = HistoryPage(fetched: fetched, limit: limit)
        page.nextAfter = page.hasMore ? page.items.last?.seq : nil
        return page
    }
}
