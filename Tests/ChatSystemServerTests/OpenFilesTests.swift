import ChatTestSupport
import Foundation
import Testing

@testable import ChatLocalStack

@Suite(.timeLimit(.minutes(2))) struct OpenFilesTests {
    /// The soft and the hard limit of another process (`proc(5)`), as text.
    private static func limits(of pid: pid_t) throws -> [Substring] {
        let text = try String(contentsOfFile: "/proc/\(pid)/limits", encoding: .utf8)
        let line = text.split(separator: "\n").first { $0.hasPrefix("Max open files") } ?? ""
        return Array(line.split(separator: " ").dropFirst(3).prefix(2))
    }

    /// Sets the soft limit; the hard one stays.
    private static func limit(_ pid: pid_t, to count: Int) throws {
        let process = try Process.run(
            URL(filePath: "/usr/bin/prlimit"), arguments: ["--pid", "\(pid)", "--nofile=\(count):"])
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
    }

    private static func files(of pid: pid_t) -> Int {
        (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/fd").count) ?? 0
    }

    @Test func `the limit is raised at the start, and a server that reaches it recovers`() async throws {
        let stack = try await SharedStack.running()
        try await stack.withServer(.system) { server in
            let system = RESTClient(baseURL: server.url)
            try await system.get("/health/live").require(200, "live")
            let pid = try #require(await server.running?.pid)
            let limits = try Self.limits(of: pid)
            #expect(limits.count == 2 && limits[0] == limits[1], "\(limits)")

            try Self.limit(pid, to: Self.files(of: pid) + 8)
            var sockets: [TCPSocket] = []
            for _ in 0..<40 {
                let socket = try TCPSocket()
                try socket.connect(host: "127.0.0.1", port: server.port, timeout: .seconds(5))
                sockets.append(socket)
            }
            // The connection that was open before is served.
            try await system.get("/health/live").require(200, "live while full")
            sockets.removeAll()
            // New connections are served again, once the server has seen that the others are closed.
            let deadline = ContinuousClock.now + .seconds(10)
            var fresh = ""
            while !fresh.hasPrefix("HTTP/1.1 200 "), ContinuousClock.now < deadline {
                let request = "GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
                fresh = (try? await RawHTTP.exchange(port: server.port, request)) ?? ""
            }
            #expect(fresh.hasPrefix("HTTP/1.1 200 "))
        }
    }
}
