import AsyncHTTPClient
import CommonAuth
import CommonUtil
import NIOCore
import NIOHTTP1
import NIOSSL
import ServiceLifecycle
import Synchronization

/// Makes requests to the hook over connections that are kept, a hundred at most. Redirects are not followed.
final class HTTPMessageHook: MessageHookCalling, Service {
    /// A payload has 64 KiB, and its JSON may be written with escapes.
    static let maximumAnswerBytes = 128 * 1_024
    /// Requests at the same time; others wait for one of these connections.
    private static let maximumConnections = 100

    private let url: WebhookURL
    private let timeout: TimeAmount
    private let eventLoopGroup: any EventLoopGroup
    private let configuration: HTTPClient.Configuration
    /// Made when it is first needed: one that is made has to be shut down.
    private let made = Mutex(HTTPClient?.none)

    /// - Parameters:
    ///   - trustFile: a PEM file of certificate authorities to trust beside the system's.
    ///   - timeout: for waiting for a connection, for making it, and between two parts of an answer.
    init(url: WebhookURL, eventLoopGroup: any EventLoopGroup, trustFile: String?, timeout: Duration) {
        self.url = url
        self.timeout = TimeAmount(timeout)
        var configuration = HTTPClient.Configuration(
            tlsConfiguration: .client(trustFile: trustFile), redirectConfiguration: .disallow,
            timeout: .init(connect: self.timeout, read: self.timeout))
        configuration.httpVersion = .http1Only
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = Self.maximumConnections
        // If nobody listens there is no decision, at once and not only when the time is over.
        configuration.connectionPool.retryConnectionEstablishment = false
        self.configuration = configuration
        self.eventLoopGroup = eventLoopGroup
    }

    private var client: HTTPClient {
        made.withLock { made in
            let client = made ?? HTTPClient(eventLoopGroup: eventLoopGroup, configuration: configuration)
            made = client
            return client
        }
    }

    func call(_ body: [UInt8], headers: [(String, String)]) async -> HookResponse {
        do {
            let response = try await client.execute(
                .jsonPost(body, headers: headers, to: url), timeout: timeout)
            let answer = try await response.body.collect(upTo: Self.maximumAnswerBytes)
            return .answer(status: Int(response.status.code), body: Array(answer.readableBytesView))
        } catch {
            return .failed(HTTPFailure.reason(of: error))
        }
    }

    /// Keeps connections until graceful shutdown, when no request is handled any more.
    func run() async throws {
        try? await gracefulShutdown()
        try? await made.withLock { $0.take() }?.shutdown()
    }
}
