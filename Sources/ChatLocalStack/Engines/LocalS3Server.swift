import Foundation

/// An S3 server in memory with one bucket, which checks signatures: moto, run by `scripts/s3-server`.
public final class LocalS3Server: Sendable {
    /// The files of a certificate, for a server that speaks TLS.
    public struct Certificate: Sendable {
        var certificate: String
        var key: String

        public init(certificate: String, key: String) {
            self.certificate = certificate
            self.key = key
        }
    }

    private struct Keys: Decodable {
        let accessKey: String
        let secretKey: String
    }

    /// More than the installation of its package takes, which comes from PyPI on first use.
    private static let startTime = Duration.seconds(100)

    /// The TCP port on the loopback address.
    public let port: Int
    public let bucket: String
    public let accessKey: String
    public let secretKey: String
    public let process: LocalProcess
    private let isSecure: Bool

    private init(port: Int, bucket: String, keys: Keys, process: LocalProcess, isSecure: Bool) {
        self.port = port
        self.bucket = bucket
        accessKey = keys.accessKey
        secretKey = keys.secretKey
        self.process = process
        self.isSecure = isSecure
    }

    /// `https://127.0.0.1:port`, or http.
    public var endpoint: String { "\(isSecure ? "https" : "http")://\(ReachableHost.loopback):\(port)" }

    /// For `CHAT_FILE_STORE`, without its `s3:`.
    /// - Parameter port: of a proxy before the server.
    public func url(port: Int? = nil) -> String {
        "\(isSecure ? "https" : "http")://\(ReachableHost.loopback):\(port ?? self.port)/\(bucket)?region=us-east-1"
    }

    /// Whether it can be run here.
    public static var isAvailable: Bool { ExecutableSearch.inPath("python3") != nil }

    /// Starts one.
    /// - Parameters:
    ///   - script: the path of `scripts/s3-server`.
    ///   - folder: of its log.
    ///   - onLaunch: called with the process before it is ready.
    /// - Throws: `LocalStackError` with what it wrote if it does not start.
    public static func start(
        script: String, folder: String, certificate: Certificate? = nil,
        onLaunch: (LocalProcess) -> Void = { _ in }
    ) async throws -> LocalS3Server {
        guard let python = ExecutableSearch.inPath("python3") else {
            throw LocalStackError("python3 is not installed; on Debian and Ubuntu: apt-get install python3-venv")
        }
        let port = try FreePort.next()
        let bucket = "chat-files"
        var arguments = [script, "--port", "\(port)", "--bucket", bucket]
        if let certificate { arguments += ["--certificate", certificate.certificate, "--key", certificate.key] }
        let process = try LocalProcess(.init(python, arguments, logFile: "\(folder)/s3.log"))
        onLaunch(process)
        do {
            return LocalS3Server(
                port: port, bucket: bucket, keys: try await keys(of: process), process: process,
                isSecure: certificate != nil)
        } catch {
            process.kill()
            throw error
        }
    }

    /// Ends it at once: what it holds is in memory.
    public func stop() { process.kill() }

    /// Waits for the line by which it says that it is ready.
    private static func keys(of process: LocalProcess) async throws -> Keys {
        let deadline = ContinuousClock.now + startTime
        while ContinuousClock.now < deadline {
            let exit = try await process.waitForExit(timeout: .milliseconds(50))
            for line in process.logTail() where line.hasPrefix("{") {
                return try JSONDecoder().decode(Keys.self, from: Data(line.utf8))
            }
            if exit != nil { break }
        }
        throw LocalStackError((["scripts/s3-server did not start"] + process.logTail()).joined(separator: "\n  "))
    }
}
