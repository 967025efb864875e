import ChatLocalStack
import ChatTestSupport
import Foundation
import Testing

/// What a server writes to standard output, and what becomes of it where nobody reads that.
@Suite(.timeLimit(.minutes(2))) struct LogTests {
    /// Long, so that few of them fill a pipe.
    private static let unknownPath = "/" + String(repeating: "x", count: 500)

    @Test(arguments: ServerKind.allCases)
    func `a server whose log is not read goes on, and stops with 0`(_ kind: ServerKind) async throws {
        let stack = try await SharedStack.running()
        let folder = try PrivateFolder.temporary(prefix: "chat-unread")
        defer { PrivateFolder.remove(folder) }
        let log = "\(folder)/log"
        try #require(mkfifo(log, 0o600) == 0)
        // A pipe with a reader that never reads.
        let reader = open(log, O_RDONLY | O_NONBLOCK)
        defer { close(reader) }
        let server = LocalServer(
            .init(
                kind, port: try FreePort.next(),
                environment: stack.environment.merging(["CHAT_LOG_LEVEL": "debug"]) { _, new in new }, logFile: log))
        do {
            try await server.start(timeout: .seconds(60))
            let client = RESTClient(baseURL: server.url)
            // Each is a line of more than a kilobyte, and a pipe holds 64.
            for _ in 0..<200 { #expect(try await client.get(Self.unknownPath).status == 404) }
            let metrics = try await client.get("/metrics").text
            #expect(metrics.contains("chat_log_lines_dropped_total 0\n"))
            try await server.stop()
        } catch {
            try? await server.kill()
            throw error
        }
    }

    @Test(arguments: [ServerKind.system])
    func `refused requests are logged a few a second and counted`(_ kind: ServerKind) async throws {
        let stack = try await SharedStack.running()
        try await stack.withServer(kind) { server in
            let client = RESTClient(baseURL: server.url)
            for _ in 0..<200 { #expect(try await client.get(Self.unknownPath).status == 404) }
            var written = 0
            var counted = 0
            let deadline = ContinuousClock.now + .seconds(30)
            while written + counted < 200, ContinuousClock.now < deadline {
                try await Task.sleep(for: .milliseconds(50))
                let records = server.logTail(1_000).compactMap { try? JSON(parsing: Array($0.utf8)) }
                    .filter { $0["metadata"]?["status"]?.int == 404 }
                written = records.count { $0["metadata"]?["count"] == nil }
                counted = records.reduce(0) { $0 + Int($1["metadata"]?["count"]?.int ?? 0) }
            }
            #expect(written + counted == 200)
            #expect(written >= 5 && counted > 0)
        }
    }
}
