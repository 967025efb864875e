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

    private let tls: TLSConfiguration
    private let timeout: Duration
    private let eventLoopGroup: any EventLoopGroup
    private let connection = Mutex<Connection?>(nil)

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
        let client = await client(for: url, address)
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
        let old = connection.withLock { $0.take() }
        try? await old?.client.shutdown()
    }

    /// The client whose connections go to the address.
    private func client(for url: WebhookURL, _ address: String) async -> HTTPClient {
        let host = url.hostText
        if let known = connection.withLock({ $0 }), known.host == host, known.address == address { return known.client }
        await close()
        var configuration = HTTPClient.Configuration(
            tlsConfiguration: tls, redirectConfiguration: .disallow,
            timeout: .init(connect: Self.connectTimeout, read: TimeAmount(timeout)))
        configuration.dnsOverride = [host: address]
        configuration.httpVersion = .http1Only
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = 1
        let client = HTTPClient(eventLoopGroup: eventLoopGroup, configuration: configuration)
        connection.withLock { $0 = Connection(host: host, address: address, client: client) }
        return client
    }
}
