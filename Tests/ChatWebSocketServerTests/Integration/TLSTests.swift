import ChatLocalStack
import ChatTestSupport
import Foundation
import Testing

/// Sockets of a server that speaks TLS itself, in a process of its own.
@Suite(.timeLimit(.minutes(2))) struct TLSTests {
    private let authority: TestAuthority
    private let files: TestAuthority.Files

    init() throws {
        authority = try TestAuthority()
        files = try authority.issue()
    }

    private var settings: [String: String] {
        ["CHAT_TLS_CERTIFICATE_FILE": files.certificate, "CHAT_TLS_KEY_FILE": files.key]
    }

    private func client(_ server: LocalServer) -> RESTClient {
        RESTClient(baseURL: "https://localhost:\(server.port)", trusting: authority.file)
    }

    private func withServer(
        _ kind: ServerKind = .webSocket, _ settings: [String: String] = [:], of stack: SharedStack,
        _ body: (LocalServer, LocalProcess) async throws -> Void
    ) async throws {
        let server = try stack.makeServer(kind, self.settings.merging(settings) { _, new in new })
        do {
            let process = try await server.launch()
            try await client(server).waitForAnswer("/health/ready", 200)
            try await body(server, process)
            try await server.stop()
        } catch {
            try? await server.kill()
            throw error
        }
    }

    @Test
    func `over TLS events arrive, many frames and the largest, live and after an absence, and both ends can close`()
        async throws
    {
        let stack = try await SharedStack.running(.trusted)
        let user = try await stack.user()
        let roomID = Unique.name("tls")
        try await withServer(of: stack) { server, _ in
            let socket = try await stack.readySocket(roomID, as: user, port: server.port, trusting: authority.file)
            let posted = try await stack.say("Hello", in: roomID, as: user)
            let event = try #require(try await socket.log(upTo: 1).first)
            #expect(event.without("eventType") == posted)

            let count = 400 as Int64
            try await withThrowingTaskGroup(of: Void.self) { group in
                for writer in 0..<8 {
                    group.addTask {
                        for _ in 0..<50 { try await stack.say("m", in: roomID, as: user, server: writer) }
                    }
                }
                try await group.waitForAll()
            }
            let text = String(repeating: "\u{1F600}", count: 8_000)
            try await stack.say(text, in: roomID, as: user)
            let log = try await socket.log(upTo: count + 2)
            #expect(log.map { $0["seq"]?.int } == (1...count + 2).map { $0 })
            #expect(log.last?["contentJson"]?.string?.contains(text) == true)
            #expect(try await stack.log(of: roomID, as: user) == log)

            let back = try await stack.readySocket(
                roomID, as: user, lastSeq: 0, port: server.port, trusting: authority.file)
            #expect(try await back.log(upTo: count + 2) == log)
            try await back.event(type: "caught_up")
            try await back.send(["type": "ping"])
            try await back.event(type: "pong")
            #expect(try await back.close().code == 1000)
            // A client that breaks the protocol gets the reason before the stream ends.
            try await socket.send(bytes: [0x81, 0x01, 0x41])
            #expect(try await socket.closeFrame().code == 1002)
            for socket in [socket, back] { #expect(socket.faults.isEmpty) }
        }
    }

    @Test func `over TLS a slow reader is fed from the log, with bounded memory, and misses nothing`() async throws {
        let stack = try await SharedStack.running(.trusted)
        let user = try await stack.user()
        let roomID = Unique.name("slow-tls")
        try await withServer(of: stack) { server, process in
            let quick = try await stack.readySocket(roomID, as: user, port: server.port, trusting: authority.file)
            var slow: [WebSocketTestClient] = []
            for _ in 0..<10 {
                let socket = try await stack.readySocket(
                    roomID, as: user, port: server.port, receiveBuffer: 4_096, trusting: authority.file)
                try await socket.stopReading()
                slow.append(socket)
            }
            let before = try residentBytes(of: process.pid)
            let count = 1_000 as Int64
            let text = String(repeating: "x", count: 8_000)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<10 {
                    group.addTask { for _ in 0..<100 { try await stack.say(text, in: roomID, as: user) } }
                }
                try await group.waitForAll()
            }
            #expect(try await quick.log(upTo: count).count == Int(count))
            // 80 MB were not read. Without a bound all of them would be in memory, in plaintext or encrypted.
            #expect(try residentBytes(of: process.pid) - before < 40_000_000)
            let states = try await client(server).get("/metrics").text
            #expect(states.contains(#"chat_sessions{state="catching_up"} 10"#), "\(states)")
            for socket in slow { try await socket.resumeReading() }
            for socket in slow {
                let log = try await socket.log(upTo: count)
                #expect(log.map { $0["seq"]?.int } == (1...count).map { $0 })
            }
        }
    }

    private func residentBytes(of pid: pid_t) throws -> Int {
        let pages = try String(contentsOfFile: "/proc/\(pid)/statm", encoding: .utf8).split(separator: " ")
        return try #require(pages.dropFirst().first.flatMap { Int($0) }) * Int(sysconf(Int32(_SC_PAGESIZE)))
    }

    @Test
    func `SIGHUP loads a new certificate, keeps the old one if the new is invalid, and leaves open sockets alone`()
        async throws
    {
        let stack = try await SharedStack.running(.trusted)
        let user = try await stack.user()
        let roomID = Unique.name("hup")
        let successor = try TestAuthority()
        let renewed = try successor.issue()
        try await withServer(of: stack) { server, process in
            let socket = try await stack.readySocket(roomID, as: user, port: server.port, trusting: authority.file)
            let key = try Data(contentsOf: URL(filePath: files.key))
            try files.replace(with: renewed)
            try key.write(to: URL(filePath: files.key))
            process.terminate(signal: SIGHUP)
            try await server.logLine { [file = files.key] in $0.contains("CHAT_TLS_KEY_FILE is '\(file)'") }
            #expect(try await client(server).get("/health/live").status == 200)

            try files.replace(with: renewed)
            process.terminate(signal: SIGHUP)
            try await server.logLine { $0.contains("The certificate was reloaded") }
            let later = try await stack.readySocket(roomID, as: user, port: server.port, trusting: successor.file)
            await #expect(throws: (any Error).self) {
                _ = try await stack.socket(roomID, as: user, port: server.port, trusting: authority.file)
            }
            try await stack.say("still here", in: roomID, as: user)
            for socket in [socket, later] { #expect(try await socket.log(upTo: 1).count == 1) }
        }
    }

    @Test(arguments: ServerKind.allCases)
    func `a server without TLS continues after SIGHUP`(_ kind: ServerKind) async throws {
        let stack = try await SharedStack.running(.trusted)
        try await stack.withServer(kind) { server in
            let process = try #require(await server.running)
            process.terminate(signal: SIGHUP)
            #expect(try await process.waitForExit(timeout: .milliseconds(300)) == nil)
            try await RESTClient(baseURL: server.url).waitForAnswer("/health/ready", 200)
        }
    }

    @Test func `keys for tokens are fetched over https, and chat health connects over it`() async throws {
        let stack = try await SharedStack.running(.token)
        let stranger = try TestAuthority()
        try await withServer(.system, of: stack) { system, _ in
            let url = "https://localhost:\(system.port)"
            let jwks = "\(url)/.well-known/jwks.json"
            let settings = ["CHAT_JWKS_URL": jwks, "CHAT_TLS_CA_FILE": authority.file]
            try await withServer(.message, settings, of: stack) { server, _ in
                let ready = try await client(server).waitForAnswer("/health/ready", 200)
                #expect(ready.json["checks"]?["keys"] == "ok")
            }
            let foreign = try stack.makeServer(.message, settings.merging(["CHAT_TLS_CA_FILE": stranger.file]) { $1 })
            try await foreign.launch()
            let refused = try await RESTClient(baseURL: foreign.url).waitForAnswer("/health/ready", 503) {
                $0.json["checks"]?["process"] == nil
            }
            #expect(refused.json["checks"]?["keys"] == "not fetched yet")
            try await foreign.stop()

            #expect(try await health([url], ["CHAT_TLS_CA_FILE": authority.file]) == .exited(0))
            #expect(try await health([url], ["CHAT_TLS_CA_FILE": stranger.file]) == .exited(1))
            #expect(try await health([url]) == .exited(1))
            // A container's own check: by an address, which the certificate need not name.
            let own = ["CHAT_PORT": "\(system.port)"]
            #expect(try await health([], own.merging(self.settings) { $1 }) == .exited(0))
            #expect(try await health([], own) == .exited(1))
        }
    }

    private func health(_ arguments: [String], _ environment: [String: String] = [:]) async throws
        -> ChatLocalStack.ExitStatus
    {
        let process = try LocalProcess(
            .init(
                "\(BuildFolder.current)/chat", ["health"] + arguments,
                environment: ChildEnvironment.inherited.merging(environment) { $1 }))
        return try #require(try await process.waitForExit(timeout: .seconds(30)))
    }
}
