import ChatLocalStack
import ChatTestSupport
import CommonUtil
import HTTPTypes
import Hummingbird
import NIOCore
import Synchronization
import Testing

@testable import ChatMessageServer

/// A program that decides about messages by their texts.
final class Moderator: Sendable {
    struct Question: Sendable {
        let json: JSON
        let body: [UInt8]
        let headers: [String: String]

        var text: String { json["payload"]?["text"]?.string ?? "" }
    }

    static let secret = [UInt8](repeating: 5, count: 24)

    private let asked = Mutex(EventCollector<Question>())
    /// What it was asked, by the server that is run now.
    var questions: EventCollector<Question> { asked.withLock { $0 } }

    /// The texts that it was asked about, in order.
    var texts: [String] { questions.all.map(\.text) }

    private func answer(_ request: Request, _ questions: EventCollector<Question>) async throws -> Response {
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
    ///
    /// A decision has two seconds, which it can miss on a busy machine. What a test finds then says nothing, so it is run again
    /// with a new server, twice at most.
    /// - Parameter undecided: the questions to which the test itself gets no decision.
    func run(
        fails: MessageHookFailure = .open, _ mode: SharedStack.Mode = .token, undecided: Int = 0,
        _ body: @escaping @Sendable (SharedStack, RESTClient) async throws -> Void
    ) async throws {
        let stack = try await SharedStack.running(mode)
        for _ in 1...2 {
            let wasLate = Atomic(false)
            try await withServer(stack, fails) { server in
                try await withKnownIssue("a decision came too late", isIntermittent: true) {
                    try await body(stack, RESTClient(baseURL: server.url))
                } matching: { _ in
                    let lines = server.logTail(10_000).count { $0.contains("The message hook has not decided") }
                    if lines > undecided { wasLate.store(true, ordering: .relaxed) }
                    return lines > undecided
                }
            }
            guard wasLate.load(ordering: .relaxed) else { return }
        }
        try await withServer(stack, fails) { try await body(stack, RESTClient(baseURL: $0.url)) }
    }

    private func withServer(
        _ stack: SharedStack, _ fails: MessageHookFailure,
        _ body: @escaping @Sendable (LocalServer) async throws -> Void
    ) async throws {
        let questions = EventCollector<Question>()
        asked.withLock { $0 = questions }
        try await TestReceiver.run {
            try await self.answer($0, questions)
        } _: { port in
            let environment = [
                "CHAT_MESSAGE_HOOK_URL": "http://127.0.0.1:\(port)/hook",
                "CHAT_MESSAGE_HOOK_SECRET": WebhookSecret.text(of: Self.secret),
                "CHAT_MESSAGE_HOOK_FAILS": fails.rawValue,
            ]
            try await stack.withServer(.message, environment, body)
        }
    }
}
