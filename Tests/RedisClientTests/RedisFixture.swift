import Foundation
import Synchronization

@testable import ChatLocalStack

/// A Redis server of this test's own, on a free loopback port and without persistence, with whatever arguments the test
/// is about. Else like ``LocalRedis``, whose parts it is made of.
final class RedisFixture: Sendable {
    let port: Int
    let folder: URL
    private let executable: String
    private let arguments: [String]
    private let state = Mutex<(process: LocalProcess?, starts: Int)>((nil, 0))

    /// `extra` makes further arguments from the port and the folder.
    init(_ extra: (_ port: Int, _ folder: URL) throws -> [String] = { port, _ in ["--port", "\(port)"] }) async throws {
        port = try FreePort.next()
        folder = URL(filePath: try PrivateFolder.temporary(prefix: "chat-redis"))
        executable = try RedisBinary.find(linkingIn: folder.path)
        arguments =
            ["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", folder.path, "--logfile", ""]
            + (try extra(port, folder))
        try await start()
    }

    deinit {
        stop()
        PrivateFolder.remove(folder.path)
    }

    /// Returns when the server accepts connections.
    func start() async throws {
        let process = try state.withLock { state in
            state.starts += 1
            // A log of its own, since the last start was ready, too.
            let log = folder.appending(path: "redis-\(state.starts).log").path
            let process = try LocalProcess(.init(executable, arguments, logFile: log))
            state.process = process
            return process
        }
        try await Readiness.wait(for: process, named: "Redis", timeout: .seconds(20)) {
            process.logTail().contains { $0.contains("Ready to accept connections") }
        }
    }

    /// Kills the server and returns when it is gone.
    func stop() {
        guard let process = state.withLock({ $0.process.take() }) else { return }
        process.kill()
        // Tests call this where they cannot suspend, and a killed process is gone in no time.
        while process.isRunning { usleep(1_000) }
    }

    /// From now on the server accepts connections and never answers.
    func suspend() { state.withLock { $0.process?.pause() } }

    /// Ends ``suspend()``.
    func resume() { state.withLock { $0.process?.resume() } }
}
