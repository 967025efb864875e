import CommonServer
import CommonUtil
import HTTPTypes
import Hummingbird
import JavaScriptClient

/// The JavaScript client library below `/client/v1/`, for pages of any origin: the modules, the type declarations, and
/// `configuration.json` with the addresses of the servers.
struct ClientLibrary: Sendable {
    /// The path of all its files.
    static let folder = "/client/v1/"

    private let files: [String: StaticFile]
    private let servers: PublicServers

    init(_ servers: PublicServers) {
        self.servers = servers
        files = Dictionary(
            uniqueKeysWithValues: JavaScriptClient.files.map { name, bytes in
                let path = Self.folder + name
                return (path, StaticFile(path: path, bytes: bytes))
            })
    }

    /// The response for a path.
    /// - Returns: `nil` if there is no such file.
    func response(to request: Request) -> Response? {
        file(for: request)?.response(to: request, headers: Self.headers)
    }

    private func file(for request: Request) -> StaticFile? {
        let path = request.uri.path
        guard path == Self.folder + "configuration.json" else { return files[path] }
        return StaticFile(path: path, bytes: servers.configuration(host: request.head.authority).jsonBytes)
    }

    /// Pages of other origins may load them (Fetch standard, section "CORS protocol"): nothing here is secret.
    private static let headers: HTTPFields = [.accessControlAllowOrigin: "*"]
}
