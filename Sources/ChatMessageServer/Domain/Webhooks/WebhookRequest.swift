import ChatEvents
import ChatStorage
import CommonUtil

/// The body of `POST /webhooks` and `PATCH /webhooks/{id}`: `{url, eventTypes?, roomIds?, secret?, from?}`. In a
/// `PATCH`, `null` takes a filter away.
struct WebhookRequest {
    private enum From: String, CaseIterable {
        case begin, now

        var start: ChangeStart { self == .begin ? .begin : .now }
    }

    let url: WebhookURL?
    /// The URL as it was given.
    let urlText: String?
    let types: Set<EventType>?
    let roomIDs: Set<RoomID>?
    let clearsTypes: Bool
    let clearsRoomIDs: Bool
    let secret: [UInt8]?
    /// Where a new webhook begins.
    let from: ChangeStart

    /// Reads a body.
    /// - Throws: `validation_failed`, which names each invalid field; `webhook_address` for the URL.
    init(_ fields: FieldReader, isNew: Bool) throws(ChatError) {
        var fields = fields
        // The length of the URL is part of its own error.
        let text = isNew ? fields.string("url", length: 1...Int.max) : fields.optionalString("url", length: 1...Int.max)
        types = Self.list("eventTypes", &fields, "must have names of events: \(ChangeFilter.typeNames)") {
            ChangeFilter.type($0)
        }
        roomIDs = Self.list("roomIds", &fields, "must have ids of rooms") { RoomID($0) }
        clearsTypes = !isNew && fields.isNull("eventTypes")
        clearsRoomIDs = !isNew && fields.isNull("roomIds")
        let secretText = fields.optionalString("secret", length: 1...1_000)
        secret = secretText.flatMap { WebhookSecret.bytes(of: $0) }
        if secretText != nil, secret == nil { fields.note("secret", WebhookSecret.requirement) }
        from = (isNew ? fields.optionalChoice("from", From.self)?.start : nil) ?? .now
        let changesFilter = types != nil || roomIDs != nil || clearsTypes || clearsRoomIDs
        if !isNew, text == nil, !changesFilter, secret == nil, fields.errors.isEmpty {
            fields.note("body", "must change something")
        }
        try fields.finish()
        urlText = text
        var url: WebhookURL?
        if let text { url = try WebhookURL(text) }
        self.url = url
    }

    private static func list<Element: Hashable>(
        _ name: String, _ fields: inout FieldReader, _ requirement: String, _ read: (String) -> Element?
    ) -> Set<Element>? {
        guard let value = fields.optionalValue(name) else { return nil }
        guard case .array(let elements) = value, (1...ChangeFilter.maximumCount).contains(elements.count) else {
            fields.note(name, "must be a list of 1–\(ChangeFilter.maximumCount)")
            return nil
        }
        let found = elements.compactMap { element -> Element? in
            if case .string(let text) = element { read(text) } else { nil }
        }
        if found.count < elements.count { fields.note(name, requirement) }
        return Set(found)
    }
}

/// Webhooks and their attempts as JSON.
struct WebhookJSON: JSONEncodable {
    let webhook: Webhook
    /// Only in the answer that makes it.
    var secret: String?

    func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("webhookId", webhook.webhookID)
            writer.member("url", webhook.url)
            if let types = webhook.filter.types {
                writer.key("eventTypes")
                writer.array(types.map(\.rawValue).sorted()) { $0.string($1) }
            }
            if let roomIDs = webhook.filter.roomIDs {
                writer.key("roomIds")
                writer.array(roomIDs.map(\.rawValue).sorted()) { $0.string($1) }
            }
            writer.member("state", webhook.state.rawValue)
            writer.member("pausedBecause", ifPresent: webhook.pausedBecause?.rawValue)
            writer.member(EventKey.cursor, ChangeCursor.text(of: webhook.cursor))
            writer.member("lastError", ifPresent: webhook.lastError)
            if let at = webhook.lastAttemptAt { writer.member("lastAttemptAt", at) }
            writer.member("createdAt", webhook.createdAt)
            writer.member("secret", ifPresent: secret)
        }
    }
}

struct WebhookAttemptJSON: JSONEncodable {
    let attempt: WebhookAttempt

    func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("deliveryId", attempt.deliveryID)
            writer.member(EventKey.at, attempt.at)
            writer.member("status", ifPresent: attempt.status.map(Int64.init))
            writer.member("error", ifPresent: attempt.error)
            writer.member("durationMs", Int64(attempt.duration / .milliseconds(1)))
            writer.member("items", Int64(attempt.items))
            writer.member("from", ChangeCursor.text(of: attempt.from))
            writer.member("to", ChangeCursor.text(of: attempt.to))
        }
    }
}

/// A list of at most a hundred: `{items}`.
struct WebhookList<Item: JSONEncodable>: JSONEncodable {
    let items: [Item]

    func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.key("items")
            writer.array(items) { $1.write(to: &$0) }
        }
    }
}
