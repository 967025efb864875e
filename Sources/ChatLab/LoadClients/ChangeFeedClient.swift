import AsyncHTTPClient
import ChatLocalStack
import Foundation
import NIOCore
import NIOHTTP1

/// The calls of a backend with a key of the scope `changes`: the feed of changes, and webhooks.
struct ChangeFeedClient: Sendable {
    /// An event of the feed, in a page or in a delivery.
    struct Item: Decodable, Sendable {
        struct Event: Decodable, Sendable {
            var eventType: String
            var roomId: String
            var seq: Int?
            var mark: String?
            var messageId: Int?
            var userId: Int?
            var contentJson: String?
        }

        var cursor: String
        var event: Event
    }

    struct Page: Decodable, Sendable {
        var items: [Item]
        var next: String
        var hasMore: Bool
    }

    /// An answer that is no success.
    struct Refusal: Error, CustomStringConvertible {
        var status: Int
        /// The `code` of the error.
        var code: String?
        var path: String
        var description: String { "\(path): \(status) \(code ?? "")" }
    }

    private struct Problem: Decodable { var code: String? }
    struct Webhook: Decodable, Sendable {
        var webhookId: String
        /// Everything up to there has been delivered.
        var cursor: String
    }

    private static let longestAnswer = 4 << 20
    /// Seconds.
    private static let answerTime = 30
    /// More than what follows the items of a page.
    private static let endOfPage = 120
    private static let nextKey = Array(#""next":""#.utf8)

    /// One that fails at once where nobody listens, so that its callers can go to another server.
    private static let http = {
        var configuration = HTTPClient.Configuration()
        configuration.timeout.connect = .seconds(2)
        configuration.connectionPool.retryConnectionEstablishment = false
        return HTTPClient(eventLoopGroup: HTTPClient.defaultEventLoopGroup, configuration: configuration)
    }()

    let key: String
    /// Of a message server.
    let port: Int

    /// `GET /changes`.
    /// - Parameters:
    ///   - cursor: `begin`, `now` or a cursor.
    ///   - wait: seconds that the server may wait for an event.
    ///   - seconds: for the answer, beside the wait.
    func changes(
        after cursor: String, limit: Int = 100, wait: Int = 0, within seconds: Int = answerTime
    ) async throws -> Page {
        let body = try await call(
            .GET, "/changes?after=\(cursor)&limit=\(limit)&wait=\(wait)", within: wait + seconds)
        return try JSONDecoder().decode(Page.self, from: body)
    }

    /// The `next` of a page, which is not read any further.
    /// - Throws: `LocalStackError` if it has none.
    func next(after cursor: String, limit: Int, wait: Int) async throws -> String {
        let body = try await call(
            .GET, "/changes?after=\(cursor)&limit=\(limit)&wait=\(wait)", within: wait + Self.answerTime)
        let next = body.suffix(Self.endOfPage).withUnsafeBytes { ByteScan.text(after: Self.nextKey, in: $0) }
        guard let next else { throw LocalStackError("a page of the feed of changes without next") }
        return next
    }

    /// A webhook as it is now.
    func webhook(_ webhookID: String) async throws -> Webhook {
        try JSONDecoder().decode(Webhook.self, from: try await call(.GET, "/webhooks/\(webhookID)"))
    }

    /// Makes a webhook that begins with the oldest event.
    /// - Parameter secret: that it signs with; nil for one that the server makes.
    /// - Returns: its id.
    func makeWebhook(url: String, secret: String? = nil) async throws -> String {
        let secret = secret.map { #","secret":"\#($0)""# } ?? ""
        let body = try await call(.POST, "/webhooks", #"{"url":"\#(url)","from":"begin"\#(secret)}"#)
        return try JSONDecoder().decode(Webhook.self, from: body).webhookId
    }

    func deleteWebhook(_ webhookID: String) async throws {
        _ = try await call(.DELETE, "/webhooks/\(webhookID)")
    }

    func pauseWebhook(_ webhookID: String) async throws {
        _ = try await call(.POST, "/webhooks/\(webhookID)/pause")
    }

    func resumeWebhook(_ webhookID: String) async throws {
        _ = try await call(.POST, "/webhooks/\(webhookID)/resume")
    }

    /// Has a webhook deliver again what comes after a cursor, `begin` or `now`.
    func replayWebhook(_ webhookID: String, after cursor: String) async throws {
        _ = try await call(.POST, "/webhooks/\(webhookID)/replay", #"{"after":"\#(cursor)"}"#)
    }

    private func call(
        _ method: HTTPMethod, _ path: String, _ body: String? = nil, within seconds: Int = answerTime
    ) async throws -> Data {
        var request = HTTPClientRequest(url: "http://127.0.0.1:\(port)/api/v1\(path)")
        request.method = method
        request.headers.add(name: "Authorization", value: "Bearer \(key)")
        if let body {
            request.headers.add(name: "Content-Type", value: "application/json")
            request.body = .bytes(ByteBuffer(string: body))
        }
        let response = try await Self.http.execute(request, timeout: .seconds(Int64(seconds)))
        let answer = Data((try await response.body.collect(upTo: Self.longestAnswer)).readableBytesView)
        guard (200..<300).contains(response.status.code) else {
            let problem = try? JSONDecoder().decode(Problem.self, from: answer)
            throw Refusal(status: Int(response.status.code), code: problem?.code, path: path)
        }
        return answer
    }
}
