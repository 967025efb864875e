import ChatStorage
import CommonUtil

/// Finds the addresses of a name.
protocol NameResolving: Sendable {
    /// - Returns: all addresses of the name, as text; empty where there are none.
    func addresses(of name: String) async -> [String]
}

/// Decides where a URL may lead, by the addresses of its host.
struct WebhookTargets: Sendable {
    let resolver: any NameResolving
    let rules: AddressRules

    /// The address to connect to.
    /// - Throws: `webhook_address` if the host has none, or one to which no connection may be made.
    func address(of url: WebhookURL) async throws(ChatError) -> String {
        let addresses: [String]
        switch url.host {
        case .address(let address): addresses = [address]
        case .name(let name): addresses = await resolver.addresses(of: name)
        }
        guard let first = addresses.first else { throw WebhookURL.refused("has a host without an address") }
        guard addresses.allSatisfy({ rules.permits($0, isEncrypted: url.isEncrypted) }) else {
            throw WebhookURL.refused(
                url.isEncrypted || addresses.allSatisfy(rules.isAllowed)
                    ? "leads to an address that is not globally reachable" : "must be an https URL")
        }
        return first
    }
}

/// The use cases of those who own webhooks.
struct WebhookService: Sendable {
    let webhooks: WebhookRepository
    let changes: ChangeRepository
    let targets: WebhookTargets

    /// Makes a webhook.
    /// - Returns: the webhook, and its secret.
    /// - Throws: `webhook_address`, `too_many_webhooks`.
    func make(_ request: WebhookRequest) async throws -> WebhookJSON {
        guard let url = request.url, let text = request.urlText else { throw ChatError.invalid("url", "is required") }
        _ = try await targets.address(of: url)
        let cursor = try await changes.place(request.from)
        let secret = request.secret ?? WebhookSecret.generate()
        guard
            let webhook = try await webhooks.insert(
                "wh_" + RoomID.random().rawValue, url: text,
                filter: ChangeFilter(roomIDs: request.roomIDs, types: request.types), secret: secret,
                cursor: cursor)
        else { throw ChatError(.tooManyWebhooks) }
        return WebhookJSON(webhook: webhook, secret: WebhookSecret.text(of: secret))
    }

    func all() async throws -> WebhookList<WebhookJSON> {
        WebhookList(items: try await webhooks.all().map { WebhookJSON(webhook: $0) })
    }

    /// - Throws: `webhook_not_found`.
    func webhook(_ webhookID: String) async throws -> WebhookJSON { try found(try await webhooks.webhook(webhookID)) }

    /// Changes a webhook.
    /// - Throws: `webhook_not_found`, `webhook_address`.
    func change(_ webhookID: String, _ request: WebhookRequest) async throws -> WebhookJSON {
        if let url = request.url { _ = try await targets.address(of: url) }
        return try found(
            try await webhooks.update(
                webhookID,
                .init(
                    url: request.urlText, types: request.types, roomIDs: request.roomIDs, secret: request.secret,
                    clearsTypes: request.clearsTypes, clearsRoomIDs: request.clearsRoomIDs)))
    }

    /// - Throws: `webhook_not_found`.
    func delete(_ webhookID: String) async throws {
        guard try await webhooks.delete(webhookID) else { throw ChatError(.webhookNotFound) }
    }

    /// - Throws: `webhook_not_found`.
    func setPaused(_ webhookID: String, _ isPaused: Bool) async throws -> WebhookJSON {
        try found(try await webhooks.setPaused(webhookID, isPaused))
    }

    /// Delivers again from a place on.
    /// - Throws: `webhook_not_found`, `cursor_unknown`.
    func replay(_ webhookID: String, from start: ChangeStart) async throws {
        let place = try await changes.place(start)
        guard try await changes.runs(after: place, in: nil, limit: 1) != nil else { throw ChatError(.cursorUnknown) }
        guard try await webhooks.replay(webhookID, after: place) else { throw ChatError(.webhookNotFound) }
    }

    /// - Throws: `webhook_not_found`.
    func attempts(of webhookID: String) async throws -> WebhookList<WebhookAttemptJSON> {
        _ = try await webhook(webhookID)
        return WebhookList(
            items: try await webhooks.attempts(of: webhookID).map { WebhookAttemptJSON(attempt: $0) })
    }

    private func found(_ webhook: Webhook?) throws(ChatError) -> WebhookJSON {
        guard let webhook else { throw ChatError(.webhookNotFound) }
        return WebhookJSON(webhook: webhook)
    }
}
