import ChatLocalStack
import Foundation

/// An S3 server in memory (``LocalS3Server``). One for all tests of a process, with a bucket of its own for each who asks.
public struct LocalS3: Sendable {
    /// `https://127.0.0.1:port`, or http.
    public let endpoint: String
    public let bucket: String
    public let accessKey: String
    public let secretKey: String
    /// For `CHAT_FILE_STORE`, without its `s3:`.
    public let url: String
    private let server: LocalS3Server

    /// Whether it can be run here. In CI it has to be.
    public static let isAvailable =
        ProcessInfo.processInfo.environment["CI"] != nil || LocalS3Server.isAvailable

    private static let shared = Task { try await started() }

    /// The server that all tests share.
    public static func server() async throws -> LocalS3 { try await shared.value }

    /// Starts one of its own, ended with this process.
    /// - Parameter certificate: for a server that speaks TLS.
    public static func started(certificate: TestAuthority.Files? = nil) async throws -> LocalS3 {
        let folder = try PrivateFolder.temporary(prefix: "chat-s3")
        ExitSweep.removeAtExit(folder: folder)
        let server = try await LocalS3Server.start(
            script: root.appending(path: "scripts/s3-server").path, folder: folder,
            certificate: certificate.map { .init(certificate: $0.certificate, key: $0.key) },
            onLaunch: ExitSweep.endAtExit)
        return LocalS3(
            endpoint: server.endpoint, bucket: server.bucket, accessKey: server.accessKey,
            secretKey: server.secretKey, url: server.url(), server: server)
    }

    /// Ends it. Only for one that is not shared.
    public func stop() { server.stop() }

    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()
}
