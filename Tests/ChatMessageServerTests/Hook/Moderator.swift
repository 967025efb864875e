import ChatLocalStack
import ChatTestSupport
import CommonUtil
import HTTPTypes
import Hummingbird
import NIOCore

@testable import ChatMessageServer

/// A program that decides about messages by their texts.
struct Moderator: Sendable {
    struct Question: Sendable {
        let json: JSON
        let body: [UInt8]
        let headers: [String: String]

        var text: String { json["payload"]?["text"]?.string ?? "" }
    }

    static let secret = [UInt8](repeating: 5, count: 24)

    let questions = EventCollector<Question>()

    /// The texts that it was asked about, in order.
    var texts: [String] { questions.all.map(\.text) }

    private func answer(_ request: Request) async throws -> Response {
        let bytes = Array(try await request.body.collect(upTo: 1_000_000).readableBytesView)
        let headers = Dictionary(request.headers.map { ($0.name.canonicalName, $0.value) }, uniquingKeysWith: { $1 })
        let question = Question(json: try JSON(parsing: bytes), body: bytes, headers: headers)
        questions.append(question)
        let text = question.text
        // Nobody waits that long.
        if text.contains("slow") { try await Task.sleep(for: .seconds(60)) }
        if text.contains("broken") { return Response(status: .internalServerError) }
        let decision: JSON =
            if text.contains("bad") {
                ["action": "reject", "reason": "Rude"]
            } else if text.contains("nonsense") {
                ["action": "replace", "payload": ["words": "none"]]
            } else if text.contains("secret") {
                ["action": "replace", "payload": ["text": .string(text.replacing("secret", with: "***"))]]
            } else {
                ["action": "accept"]
            }
        return Response(status: .ok, body: ResponseBody(byteBuffer: ByteBuffer(string: decision.text)))
    }

    /// Runs a message server with this hook.
    func run(
        fails: MessageHookFailure = .open, _ mode: SharedStack.Mode = .token,
        _ body: @escaping @Sendable (SharedStack, RESTClient) async throws -> Void
    ) async throws {
        let stack = try await SharedStack.running(mode)
        try await TestReceiver.run(answer) { port in
            let environment = [
                "CHAT_MESSAGE_HOOK_URL": "http://127.0.0.1:\(port)/hook",
                "CHAT_MESSAGE_HOOK_SECRET": WebhookSecret.text(of: Self.secret),
                "CHAT_MESSAGE_HOOK_FAILS": fails.rawValue,
            ]
            try await stack.withServer(.message, environment) { server in
                try await body(stack, RESTClient(baseURL: server.url))
            }
        }
    }
}
