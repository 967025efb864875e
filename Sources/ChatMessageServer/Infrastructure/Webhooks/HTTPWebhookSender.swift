import AsyncHTTPClient
import CommonAuth
import CommonServer
import CommonUtil
import Logging
import NIOCore
import NIOHTTP1
import NIOSSL
import Synchronization

/// Posts to receivers. A connection goes to the address that was checked, with the host's name for TLS and in `Host`; it is
/// kept while the address stays the same. Redirects are not followed.
final class HTTPWebhookSender: WebhookSending {
    /// Of the answer no more is read.
    static let maximumAnswerBytes = 64 * 1_024
    private static let connectTimeout = TimeAmount.seconds(5)

    private struct Connection {
        let host: String
        let address: String
        let client: HTTPClient
    }

    private struct State {
        var connection: Connection?
        /// An attempt that was given up may go on for a while, and must not connect any more.
        var isClosed = false
    }

    private let tls: TLSConfiguration
    private let timeout: Duration
    private let eventLoopGroup: any EventLoopGroup
    private let state = Mutex(State())

    /// - Parameters:
    ///   - trustFile: a PEM file of certificate authorities to trust beside the system's.
    ///   - timeout: for the whole exchange.
    init(eventLoopGroup: any EventLoopGroup, trustFile: String?, timeout: Duration) {
        tls = .client(trustFile: trustFile)
        self.timeout = timeout
        self.eventLoopGroup = eventLoopGroup
    }

    func send(
        _ body: [UInt8], headers: [(String, String)], to url: WebhookURL, at address: String
    ) async -> WebhookResponse {
        guard let client = await client(for: url, address) else { return .failed("was given up") }
        do {
            let response = try await client.execute(
                .jsonPost(body, headers: headers, to: url), timeout: TimeAmount(timeout))
            var rest = Self.maximumAnswerBytes
            for try await part in response.body {
                rest -= part.readableBytes
                // What is left of it is not read, and the connection is closed.
                if rest <= 0 { break }
            }
            return .status(
                Int(response.status.code),
                retryAfter: WebhookResponse.retryAfter(response.headers.first(name: "retry-after")))
        } catch {
            return .failed(HTTPFailure.reason(of: error))
        }
    }

    func close() async {
        let old = state.withLock { state in
            state.isClosed = true
            return state.connection.take()
        }
        try? await old?.client.shutdown()
    }

    /// The client whose connections go to the address.
    /// - Returns: `nil` if the sender is closed.
    private func client(for url: WebhookURL, _ address: String) async -> HTTPClient? {
        let host = url.hostText
        if let known = state.withLock({ $0.connection }), known.host == host, known.address == address {
            return known.client
        }
        var configuration = HTTPClient.Configuration(
            tlsConfiguration: tls, redirectConfiguration: .disallow,
            timeout: .init(connect: Self.connectTimeout, read: TimeAmount(timeout)))
        configuration.dnsOverride = [host: address]
        configuration.httpVersion = .http1Only
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = 1
        let client = HTTPClient(eventLoopGroup: eventLoopGroup, configuration: configuration)
        // Every client is shut down: the one before, and this one where the sender was closed meanwhile.
        let (isKept, old) = state.withLock { state -> (Bool, HTTPClient?) in
            guard !state.isClosed else { return (false, client) }
            defer { state.connection = Connection(host: host, address: address, client: client) }
            return (true, state.connection?.client)
        }
        try? await old?.shutdown()
        return isKept ? client : nil
    }
}
