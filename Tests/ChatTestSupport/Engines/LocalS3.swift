import ChatLocalStack
import Foundation

/// An S3 server in memory, which checks signatures: moto, run by `scripts/s3-server`. One for all tests of a process, with a
/// bucket of its own for each who asks.
public struct LocalS3: Sendable {
    /// `https://127.0.0.1:port`, or http.
    public let endpoint: String
    public let bucket: String
    public let accessKey: String
    public let secretKey: String

    /// For `CHAT_FILE_STORE`, without its `s3:`.
    public var url: String { "\(endpoint)/\(bucket)?region=us-east-1" }

    /// Whether it can be run here. In CI it has to be.
    public static let isAvailable =
        ProcessInfo.processInfo.environment["CI"] != nil || ExecutableSearch.inPath("python3") != nil

    private static let shared = Task { try await started() }

    /// The server that all tests share.
    public static func server() async throws -> LocalS3 { try await shared.value }

    /// Starts one of its own, ended with this process.
    /// - Parameter certificate: for a server that speaks TLS.
    public static func started(certificate: TestAuthority.Files? = nil) async throws -> LocalS3 {
        let folder = try PrivateFolder.temporary(prefix: "chat-s3")
        ExitSweep.removeAtExit(folder: folder)
        guard let python = ExecutableSearch.inPath("python3") else {
            throw LocalStackError("python3 is not installed; on Debian and Ubuntu: apt-get install python3-venv")
        }
        let port = try FreePort.next()
        let bucket = "chat-files"
        var arguments = [root.appending(path: "scripts/s3-server").path, "--port", "\(port)", "--bucket", bucket]
        if let certificate { arguments += ["--certificate", certificate.certificate, "--key", certificate.key] }
        let process = try LocalProcess(.init(python, arguments, logFile: "\(folder)/s3.log"))
        ExitSweep.endAtExit(process)
        let keys = try await keys(of: process)
        return LocalS3(
            endpoint: "\(certificate == nil ? "http" : "https")://127.0.0.1:\(port)", bucket: bucket,
            accessKey: keys.accessKey, secretKey: keys.secretKey)
    }

    private struct Keys: Decodable {
        let accessKey: String
        let secretKey: String
    }

    /// Waits for the line by which it says that it is ready. On first use its package is installed before.
    private static func keys(of process: LocalProcess) async throws -> Keys {
        let deadline = ContinuousClock.now + .seconds(100)
        while ContinuousClock.now < deadline {
            let exit = try await process.waitForExit(timeout: .milliseconds(50))
            for line in process.logTail() where line.hasPrefix("{") {
                return try JSONDecoder().decode(Keys.self, from: Data(line.utf8))
            }
            if exit != nil { break }
        }
        throw LocalStackError((["scripts/s3-server did not start"] + process.logTail()).joined(separator: "\n  "))
    }

    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()
}
