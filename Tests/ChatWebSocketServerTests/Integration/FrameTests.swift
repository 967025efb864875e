import ChatTestSupport
import Testing

/// Frames of clients, valid or not (RFC 6455).
@Suite(.timeLimit(.minutes(2))) struct FrameTests {
    private static func socket() async throws -> WebSocketTestClient {
        let stack = try await SharedStack.running(.trusted)
        return try await stack.readySocket(Unique.name("frames"), as: nil)
    }

    struct Fault: Sendable, CustomTestStringConvertible {
        let name: String
        let frames: [WebSocketTestFrame]
        let code: UInt16
        var testDescription: String { "\(name) → \(code)" }

        init(_ name: String, _ code: UInt16, _ frames: WebSocketTestFrame...) {
            self.name = name
            self.frames = frames
            self.code = code
        }
    }

    private static func changed(
        _ frame: WebSocketTestFrame, _ change: (inout WebSocketTestFrame) -> Void
    ) -> WebSocketTestFrame {
        var frame = frame
        change(&frame)
        return frame
    }

    private static let ping = WebSocketTestFrame.text(#"{"type":"ping"}"#)
    private static let half = changed(ping) { $0.isFinal = false }

    static let faults: [Fault] = [
        Fault("binary", 1003, WebSocketTestFrame(.binary, [1, 2, 3])),
        Fault("over 64 KiB", 1009, WebSocketTestFrame(.text, Array(repeating: 0x20, count: 65_537))),
        Fault(
            "over 64 KiB in fragments", 1009,
            changed(WebSocketTestFrame(.text, Array(repeating: 0x20, count: 40_000))) { $0.isFinal = false },
            WebSocketTestFrame(.continuation, Array(repeating: 0x20, count: 40_000))),
        Fault("unmasked", 1002, changed(ping) { $0.isMasked = false }),
        Fault("reserved bits", 1002, changed(ping) { $0.reserved = 4 }),
        Fault("unknown opcode", 1002, WebSocketTestFrame(rawOpcode: 3, [])),
        Fault("unknown control opcode", 1002, WebSocketTestFrame(rawOpcode: 0xB, [])),
        Fault("a continuation of nothing", 1002, WebSocketTestFrame(.continuation, [0x7B])),
        Fault("a text within a text", 1002, half, ping),
        Fault("a fragmented ping", 1002, changed(WebSocketTestFrame(.ping)) { $0.isFinal = false }),
        Fault("a ping of 126 bytes", 1002, WebSocketTestFrame(.ping, Array(repeating: 0, count: 126))),
        Fault("bad UTF-8", 1007, WebSocketTestFrame(.text, [0x22, 0xFF, 0x22])),
        Fault("an overlong encoding", 1007, WebSocketTestFrame(.text, [0x22, 0xC0, 0x80, 0x22])),
        Fault("a surrogate", 1007, WebSocketTestFrame(.text, [0x22, 0xED, 0xA0, 0x80, 0x22])),
        Fault("half a scalar", 1007, WebSocketTestFrame(.text, [0x22, 0xE2, 0x98])),
        Fault("a close code that is not for the wire", 1002, .close(1005)),
        Fault("a close frame of one byte", 1002, WebSocketTestFrame(.close, [3])),
        Fault(
            "bad UTF-8 in a close reason", 1007, WebSocketTestFrame(.close, [0x03, 0xE8, 0xFF])),
        Fault(
            "bad UTF-8 in the first of two fragments", 1007,
            changed(WebSocketTestFrame(.text, [0xFF])) { $0.isFinal = false }),
        Fault("half a scalar over two fragments", 1007, half, WebSocketTestFrame(.continuation, [0xE2, 0x98])),
        Fault("a binary within a text", 1003, half, WebSocketTestFrame(.binary, [1])),
        Fault("a close in fragments", 1002, changed(.close(1000)) { $0.isFinal = false }),
        Fault("an unmasked close", 1002, changed(.close(1000)) { $0.isMasked = false }),
        Fault("a long close reason", 1002, .close(1000, reason: String(repeating: "x", count: 124))),
        Fault("a close code that nobody registered", 1002, .close(2999)),
        Fault("a close code above all", 1002, .close(5000)),
    ]

    @Test(arguments: faults)
    func `a frame that breaks the protocol ends the connection`(_ fault: Fault) async throws {
        let socket = try await Self.socket()
        for frame in fault.frames { try await socket.send(frame) }
        #expect(try await socket.closeFrame().code == fault.code)
        try? await socket.send(.close(fault.code))
        try await socket.disconnected()
        #expect(socket.faults.isEmpty)
    }

    @Test(arguments: [
        #"{"type":"dance"}"#, #"{"type":7}"#, #"{}"#, #"[]"#, #""ping""#, "not json", "", #"{"type":"read"}"#,
        #"{"type":"read","seq":"x"}"#, #"{"type":"read","seq":-1}"#, #"{"type":"typing","typing":"yes"}"#,
        #"{"type":"auth"}"#, #"{"type":"ping""#, "{\"type\":\"\u{0}\"}",
    ])
    func `a frame that the application does not understand gets error, and the socket stays open`(_ text: String)
        async throws
    {
        let socket = try await Self.socket()
        try await socket.send(.text(text))
        let error = try await socket.event(type: "error")
        #expect(error["code"]?.string?.isEmpty == false)
        #expect(error["message"]?.string?.isEmpty == false)
        try await socket.send(["type": "ping"])
        try await socket.event(type: "pong")
        #expect(socket.faults.isEmpty)
    }

    @Test func `an application ping is answered, up to 64 KiB and in fragments`() async throws {
        let socket = try await Self.socket()
        try await socket.send(Self.ping)
        #expect(try await socket.event(type: "pong") == ["eventType": "pong"])

        let big = WebSocketTestFrame(
            .text, Self.ping.payload + Array(repeating: 0x20, count: 65_536 - Self.ping.payload.count))
        try await socket.send(big)
        #expect(try await socket.events(3)[2]["eventType"] == "pong")

        // A control frame may be sent between fragments (section 5.4).
        try await socket.send(Self.changed(.text(#"{"type""#)) { $0.isFinal = false })
        try await socket.send(WebSocketTestFrame(.ping, [1, 2]))
        try await socket.send(
            Self.changed(WebSocketTestFrame(.continuation, Array(#":"pi"#.utf8))) { $0.isFinal = false })
        try await socket.send(WebSocketTestFrame(.continuation, Array(#"ng"}"#.utf8)))
        try await socket.pong([1, 2])
        #expect(try await socket.events(4)[3]["eventType"] == "pong")
    }

    @Test func `a frame may arrive byte by byte, and many at once`() async throws {
        let socket = try await Self.socket()
        for byte in Self.ping.bytes { try await socket.send(bytes: [byte]) }
        try await socket.send(bytes: (0..<20).flatMap { _ in Self.ping.bytes })
        #expect(try await socket.events(22).dropFirst().allSatisfy { $0["eventType"] == "pong" })
    }

    @Test func `a protocol ping is answered with its payload`() async throws {
        let socket = try await Self.socket()
        for payload in [[], Array("hello".utf8), Array(repeating: 7, count: 125)] as [[UInt8]] {
            try await socket.send(WebSocketTestFrame(.ping, payload))
            try await socket.pong(payload)
        }
        // An unsolicited pong is ignored (section 5.5.3).
        try await socket.send(WebSocketTestFrame(.pong, [9]))
        try await socket.send(Self.ping)
        try await socket.event(type: "pong")
    }

    @Test(arguments: [1000, 1001, 3000, 4999] as [UInt16])
    func `a client's close frame is answered with its code`(_ code: UInt16) async throws {
        let socket = try await Self.socket()
        #expect(try await socket.close(code).code == code)
        #expect(socket.faults.isEmpty)
    }

    @Test func `a close frame without a code is answered without one`() async throws {
        let socket = try await Self.socket()
        try await socket.send(.close(nil))
        #expect(try await socket.closeFrame().code == nil)
        try await socket.disconnected()
    }
}
