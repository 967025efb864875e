import ChatEvents
import CommonAuth
import CommonServer
import CommonUtil
import Hummingbird

/// The REST routes of the message server.
enum MessageRoutes {
    /// - Parameter limit: on a user's posts, edits and deletions together.
    static func add(to routes: inout Routes, _ messages: MessageService, limit: RateLimiter<UserID>) {
        addPosting(to: &routes, messages, limit)
        addEditing(to: &routes, messages, limit)
        addReading(to: &routes, messages)
    }

    private static func addPosting(
        to routes: inout Routes, _ messages: MessageService, _ limit: RateLimiter<UserID>
    ) {
        routes.postDirectly(
            "/api/v1/messages", scope: .messages,
            admission: { user, proceed in
                guard !user.userID.isInstallation else { return proceed(nil) }
                limit.check(user.userID, then: proceed)
            }
        ) { call, respond in
            let fields = try FieldReader(body: call.body)
            if let key = call.key, !key.isOnBehalf {
                post(fields, by: key, messages, respond)
            } else {
                let draft = try PostRequest.draft(fields, senderID: call.user.userID)
                messages.post(draft) { respond($0.map(DirectResponse.init)) }
            }
        }
    }

    /// Posts for the installation. The call of the key lasts until there is a response.
    private static func post(
        _ fields: sending FieldReader, by key: KeyCaller, _ messages: MessageService,
        _ respond: @escaping @Sendable (Result<DirectResponse, any Error>) -> Void
    ) {
        Task {
            do {
                let posted = try await messages.post(fields, by: key.key.name)
                respond(
                    .success(DirectResponse(jsonBytes: posted.jsonBytes, status: posted.isNew ? .created : .ok)))
            } catch {
                respond(.failure(error))
            }
        }
    }

    private static func addEditing(
        to routes: inout Routes, _ messages: MessageService, _ limit: RateLimiter<UserID>
    ) {
        routes.patch("/api/v1/messages/{id}", authenticated: true, scope: .messages) { request, context in
            let userID = try context.requireUser().userID
            if !context.isInstallation { try await limit.check(userID) }
            let messageID = try context.messageID()
            var fields = try await request.fields(context)
            let payload = fields.object(MessagePayload.field)
            try fields.finish()
            guard let payload else { throw fields.incomplete }
            return Response(json: try await messages.edit(messageID, payload: payload, by: userID))
        }
        routes.delete("/api/v1/messages/{id}", authenticated: true, scope: .messages) { _, context in
            let userID = try context.requireUser().userID
            if !context.isInstallation { try await limit.check(userID) }
            try await messages.delete(context.messageID(), by: userID)
            return .noContent
        }
    }

    private static func addReading(to routes: inout Routes, _ messages: MessageService) {
        routes.get("/api/v1/messages/{id}", authenticated: true, scope: .messages) { _, context in
            Response(json: try await messages.message(context.messageID(), for: context.requireUser().userID))
        }
        routes.get("/api/v1/rooms/{id}/messages", authenticated: true, scope: .messages, isPage: true) {
            request, context in
            var query = QueryReader(request)
            let before = query.optionalInteger("before", in: 0...Seq.max)
            let after = query.optionalInteger("after", in: 0...Seq.max)
            let limit = query.pageLimit()
            try query.finish()
            return Response(
                json: try await messages.history(
                    of: context.roomID(), for: context.requireUser().userID, before: before, after: after,
                    limit: limit))
        }
        routes.get("/api/v1/rooms/{id}/events", authenticated: true, scope: .messages, isPage: true) {
            request, context in
            var query = QueryReader(request)
            let after = query.optionalInteger("after", in: 0...Seq.max) ?? 0
            let mark = query.optionalMark(after: after)
            let limit = query.pageLimit()
            try query.finish()
            return Response(
                json: try await messages.events(
                    of: context.roomID(), for: context.requireUser().userID, after: after, mark: mark,
                    limit: limit))
        }
    }
}

extension DirectResponse {
    /// The response to a user's post.
    fileprivate init(_ posted: MessageService.Posted) {
        switch posted {
        case .now(let posted): self.init(jsonBytes: posted.messageJSON, status: .created)
        case .before(let message): self.init(jsonBytes: message.jsonBytes, status: .ok)
        case .repeatedWithoutAccess(let receipt): self.init(jsonBytes: receipt.jsonBytes, status: .ok)
        }
    }
}

extension QueryReader {
    /// Reads `mark`, that of the event `after`. An empty value is an absent one.
    fileprivate mutating func optionalMark(after seq: Seq) -> EventMark? {
        guard let text = optionalString(EventKey.mark, length: 0...Int.max), !text.isEmpty else { return nil }
        guard let mark = EventMark(text) else {
            note(EventKey.mark, "must be \(EventMark.rule)")
            return nil
        }
        // With an invalid `after`, which reads as 0, there is nothing more to say.
        if seq == 0, errors.isEmpty { note(EventKey.mark, "needs the seq of its event as after") }
        return mark
    }
}
