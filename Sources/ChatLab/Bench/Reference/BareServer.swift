import ChatLocalStack
import CommonUtil
import Foundation

/// A running ``BareServerCommand``.
struct BareServer: Sendable {
    static let name = "a bare SwiftNIO server"

    let port: Int
    private let process: LocalProcess

    var pid: pid_t { process.pid }

    /// Starts one and waits until it listens.
    static func start() async throws -> BareServer {
        let port = try FreePort.next()
        let tool = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        let server = BareServer(
            port: port, process: try LocalProcess(.init(tool, ["bench", "bare-server", "--port", "\(port)"])))
        let deadline = ContinuousClock.now + .seconds(10)
        var backoff = Backoff(first: .milliseconds(10), longest: .milliseconds(100))
        while FreePort.isFree(port) {
            guard server.process.isRunning, ContinuousClock.now < deadline else {
                throw LocalStackError("\(name) did not start")
            }
            try await Task.sleep(for: backoff.next())
        }
        return server
    }

    func stop() async throws {
        try await process.stop()
    }
}
