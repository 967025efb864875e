import CommonUtil
import Testing

@testable import ChatWebSocketServer

@Suite(.timeLimit(.minutes(2))) struct HandshakeCheckTests {
    /// The handshake of RFC 6455 section 1.2.
    private static let good = [
        "upgrade": "websocket", "connection": "Upgrade", "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
        "sec-websocket-version": "13", "origin": "https://example.com",
    ]

    private func rejection(
        _ changes: [String: String?] = [:], method: String = "GET", origins: AllowedOrigins = .any
    ) -> ErrorCode? {
        var headers = Self.good
        for (name, value) in changes { headers[name] = value }
        return HandshakeCheck.rejection(method: method, allowedOrigins: origins) { headers["\($0)"] }?.code
    }

    @Test func `the sample of RFC 6455 section 1_3`() {
        #expect(HandshakeCheck.accept(key: "dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
        #expect(rejection() == nil)
    }

    @Test(arguments: [
        ("upgrade", "WebSocket"), ("upgrade", "h2c, websocket"), ("connection", "keep-alive, Upgrade"),
        ("connection", "upgrade"), ("connection", "keep-alive,upgrade"), ("connection", "a,\t UPGRADE \t,b"),
        ("upgrade", ",, websocket"),
    ])
    func `lists and case do not matter`(name: String, value: String) {
        #expect(rejection([name: value]) == nil)
    }

    @Test(arguments: ["POST", "HEAD", "OPTIONS", "PUT", "get", ""])
    func `only GET is allowed`(method: String) {
        #expect(rejection(method: method) == .methodNotAllowed)
    }

    @Test(
        arguments: [
            ("upgrade", nil), ("upgrade", "h2c"), ("upgrade", "websockets"), ("upgrade", ""), ("connection", nil),
            ("upgrade", "web socket"), ("upgrade", "websocket h2c"), ("connection", "up\rgrade"), ("connection", " , "),
            ("connection", "keep-alive"), ("connection", "upgraded"), ("sec-websocket-version", nil),
            ("sec-websocket-version", "8"), ("sec-websocket-version", "13, 8"), ("sec-websocket-version", ""),
        ] as [(String, String?)])
    func `an upgrade to WebSocket 13 is required`(name: String, value: String?) {
        #expect(rejection([name: value]) == .upgradeRequired)
    }

    @Test(
        arguments: [
            nil, "", "dGhlIHNhbXBsZSBub25jZQ", "dGhlIHNhbXBsZSBub25jZ", "dGhlIHNhbXBsZSBub25j",
            "not base64 at all !!!!!",
            "dGhlIHNhbXBsZSBub25jZXh4eHh4", "dGhlIHNhbXBsZSBub25jZQ==, dGhlIHNhbXBsZSBub25jZQ==",
        ] as [String?])
    func `the key is 16 bytes`(key: String?) {
        #expect(rejection(["sec-websocket-key": key]) == .malformedRequest)
    }

    @Test func `the origin is one that is allowed, or none`() {
        let ours = AllowedOrigins.these(["https://example.com"])
        #expect(rejection(origins: ours) == nil)
        #expect(rejection(["origin": "HTTPS://Example.com"], origins: ours) == nil)
        #expect(rejection(["origin": nil], origins: ours) == nil)
        #expect(rejection(["origin": "https://example.com.evil.org"], origins: ours) == .originNotAllowed)
        #expect(rejection(["origin": "http://example.com"], origins: ours) == .originNotAllowed)
        #expect(rejection(["origin": "null"], origins: ours) == .originNotAllowed)
    }

    @Test func `a browser's token comes as a second subprotocol`() {
        func read(_ header: String?) -> [String?] {
            let (offersChat, token) = HandshakeCheck.subprotocols(header)
            return [offersChat ? "chat" : nil, token]
        }
        #expect(read("chat.v1, bearer.a.b.c") == ["chat", "a.b.c"])
        #expect(read("bearer.a.b.c,chat.v1") == ["chat", "a.b.c"])
        #expect(read("chat.v1") == ["chat", nil])
        #expect(read("chat.v2, xbearer.a") == [nil, nil])
        #expect(read("Chat.V1") == [nil, nil])
        #expect(read("chat.v1, bearer.") == ["chat", ""])
        #expect(read("") == [nil, nil])
        #expect(read(nil) == [nil, nil])
    }
}
