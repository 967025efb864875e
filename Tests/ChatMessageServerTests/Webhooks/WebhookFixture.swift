import ChatEvents
import ChatStorage
import ChatTestSupport
import CommonUtil
import PostgresClient
import Synchronization
import Testing

@testable import ChatMessageServer

/// What receivers were sent, and what they answer.
final class Receivers: Sendable {
    struct Request: Sendable {
        let url: String
        let headers: [String: String]
        let json: JSON
        let body: [UInt8]

        /// `room/seq` of each event.
        var names: [String] {
            (json["items"]?.array ?? []).map { item -> String in
                let event = item["event"]
                return "\(event?["roomId"]?.string ?? "?")/\(event?["seq"]?.int ?? 0)"
            }
        }
        var deliveryID: String { headers["webhook-id"] ?? "" }
    }

    let requests = EventCollector<Request>()
    private let answers: @Sendable (Request, _ before: Int) async -> WebhookResponse

    init(_ answers: @escaping @Sendable (Request, _ before: Int) async -> WebhookResponse) { self.answers = answers }

    func sender() -> any WebhookSending { Sender(receivers: self) }

    private struct Sender: WebhookSending {
        let receivers: Receivers

        func send(
            _ body: [UInt8], headers: [(String, String)], to url: WebhookURL, at address: String
        ) async -> WebhookResponse {
            guard let json = try? JSON(parsing: body) else { return .failed("no JSON") }
            let request = Request(
                url: url.text, headers: Dictionary(headers, uniquingKeysWith: { $1 }), json: json, body: body)
            let before = receivers.requests.all.filter { $0.url == request.url }.count
            receivers.requests.append(request)
            return await receivers.answers(request, before)
        }

        func close() async {}
    }
}

private struct NoNames: NameResolving {
    func addresses(of name: String) async -> [String] { [] }
}

extension ChangeFixture {
    static let ok = WebhookResponse.status(200, retryAfter: nil)

    var webhooks: WebhookRepository { WebhookRepository(ChatDatabase(client)) }
    private var targets: WebhookTargets { WebhookTargets(resolver: NoNames(), rules: AddressRules(allowed: [])) }
    var owner: WebhookService {
        WebhookService(webhooks: webhooks, changes: repository, targets: targets)
    }

    func dispatcher(_ receivers: Receivers, timeout: Duration = .seconds(15)) -> WebhookDispatcher {
        let dispatcher = WebhookDispatcher(
            WebhookDelivery(
                work: WebhookWorkRepository(ChatDatabase(client)), changes: service, targets: targets,
                timeout: timeout, logger: Self.quiet, makeSender: { receivers.sender() }),
            logger: Self.quiet)
        dispatcher.begin()
        return dispatcher
    }

    func webhook(_ url: String = "https://1.1.1.1/a") async throws -> String {
        let body: JSON = ["url": .string(url), "from": "begin"]
        let webhook = try await owner.make(
            try WebhookRequest(try FieldReader(body: Array(body.text.utf8)), isNew: true))
        return webhook.webhook.webhookID
    }

    /// A room with posts.
    func talk(_ count: Int, in room: String = "a") async throws {
        try await makeRoom(room)
        for number in 1...count { try await post("\(number)", in: room) }
        try await append()
    }

    /// Waits until a webhook has what is asked for. There is no event for that.
    func wait(
        _ webhookID: String, until isWanted: (Webhook) -> Bool
    ) async throws -> Webhook {
        let deadline = ContinuousClock.now + .seconds(30)
        while true {
            let webhook = try #require(try await webhooks.webhook(webhookID))
            if isWanted(webhook) { return webhook }
            try #require(ContinuousClock.now < deadline, "\(webhook)")
            try await Task.sleep(for: .milliseconds(10))
        }
    }
}
