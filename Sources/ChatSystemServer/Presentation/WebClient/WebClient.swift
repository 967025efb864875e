import CommonServer
import CommonUtil
import HTTPTypes
import Hummingbird

/// The web client: the page at `/` and its files below `/web/`. It is not part of the API, so these paths are no
/// routes; they are served from the start, before the server is ready.
struct WebClient: Sendable {
    private let files: [String: WebFile]
    private let policy: WebClientPolicy

    init(_ servers: WebClientServers) {
        let configuration = WebFile(path: WebFile.folder + "configuration.json", bytes: servers.jsonBytes)
        files = Dictionary(uniqueKeysWithValues: (WebFile.embedded + [configuration]).map { ($0.path, $0) })
        policy = WebClientPolicy(servers)
    }

    /// Serves the files for paths without a route.
    func add(to routes: inout Routes) {
        routes.fallback { request, _ in try response(to: request) }
    }

    /// The response for a path.
    /// - Throws: `not_found` where there is no such file.
    func response(to request: Request) throws(ChatError) -> Response {
        guard let file = files[request.uri.path] else { throw ChatError(.notFound) }
        var headers = policy.headers(host: request.head.authority)
        headers[.eTag] = file.entityTag
        // Revalidated at each load, mostly with 304, so that a new release is used from the next reload on.
        headers[.cacheControl] = "no-cache"
        guard !file.isKnown(to: request.headers[.ifNoneMatch]) else {
            var response = Response(status: .notModified, headers: headers)
            response.headers[.contentLength] = nil
            return response
        }
        headers[.contentType] = file.contentType
        return Response(status: .ok, headers: headers, body: ResponseBody(byteBuffer: file.body))
    }
}

/// The web client's Content Security Policy (Level 3): what it may load, and where it may connect.
struct WebClientPolicy: Sendable {
    private let servers: WebClientServers

    init(_ servers: WebClientServers) { self.servers = servers }

    /// The security headers of the page.
    /// - Parameter host: the request's `Host`, to which the ports of ``PublicAddress`` belong.
    func headers(host: String?) -> HTTPFields {
        // A policy cannot name an IPv6 address, so it names the port alone.
        let host = host.map { $0.prefix { $0 != ":" } }.flatMap { PublicAddress.isHostName($0) ? $0 : nil } ?? "*"
        let message = Self.source(servers.message, scheme: "http", host: host)
        let webSocket = Self.source(servers.webSocket, scheme: "ws", host: host)
        return SecurityHeaders.page(
            sources: """
                script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self' \(message) \(webSocket); \
                require-trusted-types-for 'script'; trusted-types 'none'
                """)
    }

    // `http` and `ws` also match `https` and `wss` (section 6.7.2.8).
    private static func source(_ address: PublicAddress, scheme: String, host: Substring) -> String {
        switch address {
        case .port(let port): "\(scheme)://\(host):\(port)"
        case .url(let origin, _): origin
        }
    }
}

/// The addresses of the other two servers for the page, which reads them from `/web/configuration.json`.
struct WebClientServers: JSONEncodable {
    let message: PublicAddress
    let webSocket: PublicAddress

    init(_ configuration: ConfigurationSource) throws(ConfigurationError) {
        message = try configuration.value(Settings.publicMessageURL)
        webSocket = try configuration.value(Settings.publicWebSocketURL)
    }

    func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("messageUrl", message.description)
            writer.member("webSocketUrl", webSocket.description)
        }
    }
}
