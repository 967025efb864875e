import CommonServer
import CommonUtil
import HTTPTypes

/// What the web client may load and whom it may talk to (Content Security Policy Level 3).
struct WebClientPolicy: Sendable {
    private let servers: WebClientServers

    init(_ servers: WebClientServers) { self.servers = servers }

    /// - Parameter host: the request's `Host`, of which the ports of ``PublicAddress`` are meant.
    func headers(host: String?) -> HTTPFields {
        // An IPv6 address cannot be named in a policy, so there the port alone is.
        let host = host.map { $0.prefix { $0 != ":" } }.flatMap { PublicAddress.isHostName($0) ? $0 : nil } ?? "*"
        let message = Self.source(servers.message, scheme: "http", host: host)
        let webSocket = Self.source(servers.webSocket, scheme: "ws", host: host)
        return SecurityHeaders.page(
            sources: """
                script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self' \(message) \(webSocket); \
                require-trusted-types-for 'script'; trusted-types 'none'
                """)
    }

    /// `http` and `ws` stand for `https` and `wss`, too (section 6.7.2.8).
    private static func source(_ address: PublicAddress, scheme: String, host: Substring) -> String {
        switch address {
        case .port(let port): "\(scheme)://\(host):\(port)"
        case .url(let origin, _): origin
        }
    }
}
