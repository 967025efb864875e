import NIOConcurrencyHelpers
import NIOCore
import Testing

@testable import ChatClient

@Suite(.timeLimit(.minutes(1))) struct TransportTests {
    let transport = NIOTransport()

    private func get(
        _ server: ServerAddress, timeout: Int64 = 30_000, maximum: Int = 1 << 20
    ) async throws -> ClientResponse {
        var call = HTTPCall(server: server, path: "/x")
        call.timeoutMilliseconds = timeout
        call.maximumResponseBytes = maximum
        return try await transport.call(call)
    }

    private func code(of body: @escaping @Sendable () async throws -> Void) async -> ChatError.Code? {
        do {
            try await body()
            return nil
        } catch {
            return (error as? ChatError)?.code
        }
    }

    @Test(
        arguments: [
            ("2", 2000), ("0", nil), ("-1", nil), ("1.5", nil), ("soon", nil), ("Wed, 02 Dec 2026 10:00:05 GMT", 5000),
            ("Wed, 02 Dec 2026 10:00:00 GMT", nil), ("Wed, 02 Dec 2026 09:00:00 GMT", nil),
        ] as [(String, Int64?)])
    func `a pause that is none counts as absent`(_ text: String, _ pause: Int64?) {
        let response = ClientResponse(
            status: 503, headers: ["retry-after": text, "date": "Wed, 02 Dec 2026 10:00:00 GMT"])
        #expect(response.retryAfterMilliseconds == pause)
    }

    @Test func `a chunked answer is read whole`() async throws {
        try await ScriptedServer.running { request, _, out in
            #expect(request.hasPrefix("GET /x HTTP/1.1\r\n"))
            try await out.write(
                ByteBuffer(
                    string: "HTTP/1.1 200 OK\r\nRetry-After: 7\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"))
            try await out.write(ByteBuffer(string: "2\r\nde\r\n0\r\n\r\n"))
        } _: { server in
            let answer = try await get(server)
            #expect(answer.status == 200)
            #expect(String(decoding: answer.body, as: UTF8.self) == "abcde")
            #expect(answer.retryAfterMilliseconds == 7000)
        }
    }

    @Test(arguments: [
        "", "HTTP/1.1 200 OK\r\nContent-Le", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", "hello\r\n\r\n",
    ])
    func `an answer that is cut is a network error`(_ text: String) async throws {
        try await ScriptedServer.running { _, _, out in
            if !text.isEmpty { try await out.write(ByteBuffer(string: text)) }
        } _: { server in
            let code = await code { _ = try await get(server) }
            #expect(code == .network)
        }
    }

    @Test func `an answer that never comes is a timeout`() async throws {
        try await ScriptedServer.running { _, inbound, _ in
            _ = try await inbound.next()
        } _: { server in
            let code = await code { _ = try await get(server, timeout: 100) }
            #expect(code == .timeout)
        }
    }

    @Test func `an endless body is not held`() async throws {
        try await ScriptedServer.running { _, _, out in
            try await out.write(ByteBuffer(string: "HTTP/1.1 200 OK\r\n\r\n"))
            while true { try await out.write(ByteBuffer(repeating: 0x20, count: 65_536)) }
        } _: { server in
            let code = await code { _ = try await get(server, maximum: 200_000) }
            #expect(code == .protocol)
        }
    }

    @Test func `where nobody listens it is a network error`() async throws {
        let server = try ServerAddress("http://127.0.0.1:1")
        let code = await code { _ = try await get(server) }
        #expect(code == .network)
    }

    @Test func `a cancelled call ends at once`() async throws {
        try await ScriptedServer.running { _, inbound, _ in
            _ = try await inbound.next()
        } _: { server in
            let task = Task { try await get(server, timeout: 60_000) }
            try await Task.sleep(for: .milliseconds(50))
            let took = await ContinuousClock().measure {
                task.cancel()
                _ = await task.result
            }
            #expect(took < .seconds(10))
        }
    }

    // MARK: Connections

    private func connect(
        _ server: ServerAddress, _ output: [ConnectionOutput] = [], _ kind: ConnectionRequest.Kind = .webSocket
    ) async -> (inputs: [ConnectionInput], end: ConnectionEnd) {
        let inputs = NIOLockedValueBox<[ConnectionInput]>([])
        let (stream, continuation) = AsyncStream.makeStream(of: ConnectionOutput.self)
        for item in output { continuation.yield(item) }
        let request = ConnectionRequest(kind: kind, server: server, path: kind == .webSocket ? "/ws/user" : "/sse/user")
        let end = await transport.connect(request, output: stream) { new in inputs.withLockedValue { $0 += new } }
        return (inputs.withLockedValue { $0 }, end)
    }

    private func closeCode(_ end: ConnectionEnd) -> UInt16? {
        if case .closed(let code, _) = end { return code }
        return nil
    }

    @Test func `an event stream is read, and the time to wait that comes before its end`() async throws {
        let text = "retry: 3000\n\n: hi\n\nid: c1\ndata: {}\n\nretry: 70\n\nevent: close\ndata: {\"code\": 4401}\n\n"
        try await ScriptedServer.running { _, _, out in
            try await out.write(
                ByteBuffer(string: "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n" + text))
        } _: { server in
            let (inputs, end) = await connect(server, [], .eventStream)
            #expect(inputs == [.opened, .activity, .frame("{}", id: "c1"), .retry(milliseconds: 70)])
            #expect(closeCode(end) == 4401)
        }
    }

    @Test func `frames, fragments and pings are read`() async throws {
        let big = String(repeating: "é", count: 100_000)
        try await ScriptedServer.running { request, inbound, out in
            // The first frame comes in one piece with the answer, the last one in many.
            var first = ByteBuffer(string: ScriptedServer.accept(request))
            first.writeImmutableBuffer(ScriptedServer.frame(0x81, Array("one".utf8)))
            try await out.write(first)
            try await out.write(ScriptedServer.frame(0x01, Array("t".utf8)))
            try await out.write(ScriptedServer.frame(0x89, Array("p".utf8)))
            try await out.write(ScriptedServer.frame(0x80, Array("wo".utf8)))
            var large = ScriptedServer.frame(0x81, Array(big.utf8))
            while let part = large.readSlice(length: min(50_001, large.readableBytes)), part.readableBytes > 0 {
                try await out.write(part)
            }
            let pong = try await inbound.next()
            #expect(pong?.getInteger(at: pong?.readerIndex ?? 0, as: UInt8.self) == 0x8A)
            try await out.write(ScriptedServer.frame(0x88, [0x0F, 0xAC] + Array("restart".utf8)))
            _ = try await inbound.next()
        } _: { server in
            let (inputs, end) = await connect(server)
            let texts = inputs.compactMap { if case .frame(let text, _) = $0 { text } else { nil } }
            #expect(inputs.first == .opened)
            #expect(texts == ["one", "two", big])
            #expect(closeCode(end) == 4012)
        }
    }

    @Test(arguments: [
        [0x81, 0x05, 0x61] as [UInt8], [0x81], [0x81, 0x7E, 0x01], [0x01, 0x01, 0x61],
    ])
    func `a connection that dies within a frame is closed without a code`(_ bytes: [UInt8]) async throws {
        try await ScriptedServer.running { request, _, out in
            try await out.write(ByteBuffer(string: ScriptedServer.accept(request)))
            try await out.write(ByteBuffer(bytes: bytes))
        } _: { server in
            let (inputs, end) = await connect(server)
            #expect(!inputs.contains { if case .frame = $0 { true } else { false } })
            #expect(closeCode(end) == 1006)
        }
    }

    @Test func `a refused handshake gives its answer`() async throws {
        try await ScriptedServer.running { _, _, out in
            try await out.write(
                ByteBuffer(
                    string: "HTTP/1.1 503 Unavailable\r\nRetry-After: Mon, 30 Nov 2026 16:00:30 GMT\r\n"
                        + "Date: Mon, 30 Nov 2026 16:00:00 GMT\r\nContent-Length: 4\r\n\r\nbusy"))
        } _: { server in
            guard case .refused(let answer) = await connect(server).end else {
                Issue.record("not refused")
                return
            }
            #expect(answer.status == 503)
            #expect(answer.retryAfterMilliseconds == 30_000)
            #expect(answer.body == Array("busy".utf8))
        }
    }

    @Test(arguments: [
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: AAAA\r\n\r\n",
        "SSH-2.0-OpenSSH_9\r\n\r\n", String(repeating: "x", count: 20_000),
    ])
    func `what is no handshake fails`(_ text: String) async throws {
        let isClosed = LatestValue(false)
        try await ScriptedServer.running { _, inbound, out in
            try await out.write(ByteBuffer(string: text))
            while try await inbound.next() != nil {}
            isClosed.set(true)
        } _: { server in
            guard case .failed = await connect(server).end else {
                Issue.record("not failed")
                return
            }
            for await isClosed in LatestValues(source: isClosed) where isClosed { break }
        }
    }

    @Test func `frames are masked and a close is waited for only so long`() async throws {
        let seen = LatestValue<[UInt8]?>(nil)
        try await ScriptedServer.running { request, inbound, out in
            try await out.write(ByteBuffer(string: ScriptedServer.accept(request)))
            var all: [UInt8] = []
            // It never answers the close frame.
            while let bytes = try await inbound.next() { all += bytes.readableBytesView }
            seen.set(all)
        } _: { server in
            let took = await ContinuousClock().measure {
                let (inputs, end) = await connect(server, [.frame("Hello"), .close(code: 1000)])
                #expect(inputs == [.opened])
                #expect(closeCode(end) == 1006)
            }
            #expect(took < .seconds(10))
            var bytes: [UInt8] = []
            for await all in LatestValues(source: seen) {
                guard let all else { continue }
                bytes = all
                break
            }
            try #require(bytes.count == 19)
            #expect(Array(bytes.prefix(2)) == [0x81, 0x85])
            let text: [UInt8] = (0..<5).map { index in bytes[6 + index] ^ bytes[2 + index % 4] }
            #expect(String(decoding: text, as: UTF8.self) == "Hello")
        }
    }
}
