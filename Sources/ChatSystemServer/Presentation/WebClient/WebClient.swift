import CommonServer
import CommonUtil
import HTTPTypes
import Hummingbird

/// The web client: the page at `/` and what it loads from below `/web/`. It is no part of the interface, so these paths
/// are no routes; they answer from the server's first moment on.
struct WebClient: Sendable {
    private let files: [String: WebFile]
    private let policy: WebClientPolicy

    init(_ servers: WebClientServers) {
        let configuration = WebFile(path: WebFile.folder + "configuration.json", bytes: servers.jsonBytes)
        files = Dictionary(uniqueKeysWithValues: (WebFile.embedded + [configuration]).map { ($0.path, $0) })
        policy = WebClientPolicy(servers)
    }

    func add(to routes: inout Routes) {
        routes.fallback { request, _ in try response(to: request) }
    }

    /// - Throws: `not_found` for what is no file of the client.
    func response(to request: Request) throws(ChatError) -> Response {
        guard let file = files[request.uri.path] else { throw ChatError(.notFound) }
        var headers = policy.headers(host: request.head.authority)
        headers[.eTag] = file.entityTag
        // Always asked for, mostly answered with 304: a new release is there with the next reload.
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
