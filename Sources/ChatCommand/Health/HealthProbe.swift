import AsyncHTTPClient
import ChatLocalStack
import CommonUtil
import NIOCore
import NIOHTTP1
import NIOSSL

/// Asks one server how it is.
enum HealthProbe {
    private static let path = "/health/ready"
    private static let maximumBytes = 1024 * 1024

    /// - Throws: if nobody answers in time, or somebody whom nobody vouches for.
    static func ask(
        _ target: HealthTarget, timeout: Duration, environment: [String: String]
    ) async throws -> HTTPProbe.Answer {
        guard target.transport != .plain else {
            return try HTTPProbe.get(host: target.host, port: target.port, path: path, timeout: timeout)
        }
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.minimumTLSVersion = .tlsv12
        if target.transport == .ownTLS {
            tls.certificateVerification = .none
        } else if let file = environment[Settings.tlsCAFile.name], !file.isEmpty {
            tls.additionalTrustRoots = [.file(file)]
        }
        var request = HTTPClientRequest(url: "https://\(target.host):\(target.port)\(path)")
        request.tlsConfiguration = tls
        let response = try await HTTPClient.shared.execute(request, timeout: TimeAmount(timeout))
        let body = try await response.body.collect(upTo: maximumBytes)
        return HTTPProbe.Answer(status: Int(response.status.code), body: String(buffer: body))
    }
}
