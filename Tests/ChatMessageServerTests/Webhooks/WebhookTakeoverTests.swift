import ChatLocalStack
import ChatTestSupport
import CommonUtil
import Foundation
import Hummingbird
import NIOCore
import Testing

@testable import ChatMessageServer

/// A receiver, and a stack of its own whose message servers may deliver to it.
private struct Takeover: Sendable {
    /// What is secret in the URL of the webhook.
    static let token = "token-of-the-url"
    static let webhookSecret = WebhookSecret.text(of: Array("secret of the webhook, 32 bytes.".utf8))
    static let hookSecret = WebhookSecret.text(of: Array("secret of the hook, also 32 bytes".utf8))

    let stack: LocalStack
    /// The texts of the messages that were delivered.
    let texts: EventCollector<String>
    let receiverPort: Int

    static func run(_ body: @escaping @Sendable (Takeover) async throws -> Void) async throws {
        let texts = EventCollector<String>()
        try await TestReceiver.run { request in
            let body = try JSON(parsing: try await request.body.collect(upTo: 2_000_000).readableBytesView)
            texts.append(
                contentsOf: (body["items"]?.array ?? []).compactMap { item in
                    item["event"]?["contentJson"]?.string
                })
            return Response(status: .ok)
        } _: { port in
            let environment = Settings.withoutLimits.merging([
                "CHAT_AUTH_MODE": "trusted", "CHAT_WEBHOOK_ALLOW": "127.0.0.1", "CHAT_LOG_LEVEL": "trace",
                // Nobody is there, so each post has a warning in the log.
                "CHAT_MESSAGE_HOOK_URL": "http://127.0.0.1:1/?token=\(token)",
                "CHAT_MESSAGE_HOOK_SECRET": hookSecret,
            ]) { $1 }
            let stack = try LocalStack(.init(environment: environment))
            do {
                try await stack.start()
                try await body(Takeover(stack: stack, texts: texts, receiverPort: port))
            } catch {
                try? await stack.stop()
                throw error
            }
            try await stack.stop()
        }
    }

    /// A key, and a webhook of all that happens from now on, made at the only message server.
    func makeWebhook() async throws -> TestKey {
        let key = try await stack.key([.changes])
        let client = RESTClient(baseURL: stack.messageServers[0].url)
        try await client.post(
            "/api/v1/webhooks",
            [
                "url": "http://127.0.0.1:\(receiverPort)/?token=\(Self.token)", "secret": .string(Self.webhookSecret),
                "eventTypes": ["message"],
            ], as: key.credentials
        ).require(201, "webhook")
        return key
    }

    func post(_ text: String, to server: LocalServer) async throws {
        try await RESTClient(baseURL: server.url).post(
            "/api/v1/messages", SharedStack.post(text, in: "takeover"), as: .user(1)
        ).require(201, text)
    }

    /// Runs a second message server beside the first.
    func withSecondServer(_ body: (LocalServer) async throws -> Void) async throws {
        let second = LocalServer(
            .init(
                .message, port: try FreePort.next(), environment: stack.messageServers[0].configuration.environment,
                logFile: "\(stack.folder)/second.log"))
        do {
            try await second.start(timeout: .seconds(60))
            try await body(second)
        } catch {
            try? await second.kill()
            throw error
        }
        try await second.stop()
    }
}

@Suite(.timeLimit(.minutes(2))) struct WebhookTakeoverTests {
    /// Five seconds, and some for a machine that has much else to do; less than the feed's `wait`.
    private static let longestPause = Duration.seconds(19)

    @Test func `when the server that delivers and sequences is killed, another one goes on within seconds`()
        async throws
    {
        try await Takeover.run { takeover in
            let key = try await takeover.makeWebhook()
            let first = takeover.stack.messageServers[0]
            try await takeover.post("before", to: first)
            try await takeover.texts.first { $0.contains("before") }
            // As long as it was alone, so it holds both leases.
            try await RESTClient(baseURL: first.url).waitForAnswer("/metrics", 200) {
                $0.text.contains("chat_webhooks_held 1") && $0.text.contains("chat_changes_sequencer 1")
            }
            try await takeover.withSecondServer { second in
                let client = RESTClient(baseURL: second.url)
                let start = try await client.get("/api/v1/changes?after=now", as: key.credentials).json
                let cursor = try #require(start["next"]?.string)
                try await first.kill()
                let killed = ContinuousClock.now
                try await takeover.post("after", to: second)
                async let delivered = takeover.texts.first { $0.contains("after") }
                let pulled = try await client.get(
                    "/api/v1/changes?after=\(cursor)&eventType=message&wait=20", as: key.credentials
                ).json
                #expect(pulled["items"]?[0]?["event"]?["contentJson"] == #"{"text":"after"}"#)
                #expect(ContinuousClock.now - killed < Self.longestPause, "the feed stood still")
                _ = try await delivered
                #expect(ContinuousClock.now - killed < Self.longestPause, "the webhook stood still")
            }
            #expect(takeover.texts.all.filter { $0.contains("after") }.count == 1)
        }
    }

    @Test func `the log of a server that delivers and asks has no secret, and nothing of their URLs`() async throws {
        try await Takeover.run { takeover in
            _ = try await takeover.makeWebhook()
            let server = takeover.stack.messageServers[0]
            try await takeover.post("logged", to: server)
            try await takeover.texts.first { $0.contains("logged") }
            let log = try String(contentsOfFile: server.configuration.logFile, encoding: .utf8)
            #expect(log.contains("The message hook has not decided"))
            #expect(log.contains("/api/v1/webhooks"))
            for secret in [Takeover.token, Takeover.webhookSecret, Takeover.hookSecret] {
                let bare = secret.hasPrefix("whsec_") ? String(secret.dropFirst(6)) : secret
                #expect(!log.contains(bare))
            }
        }
    }
}
