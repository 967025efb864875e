import ChatTestSupport
import Testing

@Suite(.timeLimit(.minutes(2))) struct AdmissionTests {
    @Test func `ready is the first frame and carries the room's head`() async throws {
        let stack = try await SharedStack.running()
        let user = try await stack.user()
        let roomID = try await stack.room(of: user)
        try await stack.say("one", in: roomID, as: user)
        let socket = try await stack.readySocket(roomID, as: user)
        let ready = try #require(socket.events.first)
        #expect(ready["eventType"] == "ready")
        #expect(ready["roomId"] == .string(roomID))
        #expect(ready["userId"] == .integer(user.userID))
        #expect(ready["seq"] == 1)
        #expect(ready["heartbeatSeconds"] == 25)
        #expect(ready["sessionId"]?.string?.isEmpty == false)

        // Without `lastSeq` live begins after the head.
        try await stack.say("two", in: roomID, as: user)
        #expect(try await socket.log(upTo: 2).map { $0["seq"]?.int } == [2])
        #expect(socket.events.count == 2)
    }

    @Test func `lastSeq at the head is caught up at once`() async throws {
        let stack = try await SharedStack.running()
        let user = try await stack.user()
        let roomID = try await stack.room(of: user)
        var expected: [String: JSON] = ["eventType": "caught_up", "roomId": .string(roomID)]
        for (index, seq) in [Int64(0), 1].enumerated() {
            let socket = try await stack.readySocket(roomID, as: user, lastSeq: seq, server: index)
            let events = try await socket.events(2)
            expected["seq"] = .integer(seq)
            #expect(events[1] == .object(expected))
            #expect(events[0]["mark"] == expected["mark"])
            expected["mark"] = try await stack.say("\(seq)", in: roomID, as: user)["mark"]
        }
    }

    @Test func `lastSeq beyond the head is refused with 4409`() async throws {
        let stack = try await SharedStack.running()
        let user = try await stack.user()
        let roomID = try await stack.room(of: user)
        let close = try await stack.socket(roomID, as: user, lastSeq: 1).closeFrame()
        #expect(close.code == 4409)
        #expect(!close.reason.isEmpty)
        // The log's head counts, also if this server has not received it yet.
        try await stack.say("one", in: roomID, as: user)
        try await stack.readySocket(roomID, as: user, lastSeq: 1).event(type: "caught_up")
    }

    @Test(arguments: [
        "", "?roomId=", "?roomId=a%20b", "?roomId=%2E%2E", "?roomId=public", "?roomId=a%2Fb", "?roomId=%C3%A4",
        "?roomId=a%00", "?roomId=\(String(repeating: "x", count: 65))", "?lastSeq=0",
    ])
    func `a roomId that is missing or invalid is refused with 1007`(_ query: String) async throws {
        let stack = try await SharedStack.running()
        let user = try await stack.user()
        let socket = try await WebSocketTestClient.connect(
            port: stack.webSocketPort(), "/ws/chat\(query)",
            headers: [("Authorization", "Bearer \(user.token ?? "")")])
        #expect(socket.handshake.status == 101)
        let close = try await socket.closeFrame()
        #expect(close.code == 1007)
        #expect(close.reason.contains("roomId"))
        #expect(socket.events.isEmpty)
        // The server may have ended the connection by now.
        try? await socket.send(.close(1007))
        try await socket.disconnected()
    }

    @Test(arguments: ["-1", "x", "", "1.5", "9223372036854775808"])
    func `a lastSeq that is no number is refused with 1007`(_ lastSeq: String) async throws {
        let stack = try await SharedStack.running()
        let user = try await stack.user()
        let roomID = try await stack.room(of: user)
        let socket = try await WebSocketTestClient.connect(
            port: stack.webSocketPort(), "/ws/chat?roomId=\(roomID)&lastSeq=\(lastSeq)",
            headers: [("Authorization", "Bearer \(user.token ?? "")")])
        let close = try await socket.closeFrame()
        #expect(close.code == 1007)
        #expect(close.reason.contains("lastSeq"))
    }

    @Test func `a user without membership is refused with 4403 for a public room and with 4404 for a hidden one`()
        async throws
    {
        let stack = try await SharedStack.running()
        let (owner, stranger) = (try await stack.user(), try await stack.user())
        for (type, code) in [("public", UInt16(4403)), ("group", 4404), ("private", 4404)] {
            let roomID = try await stack.room(type, of: owner)
            let close = try await stack.socket(roomID, as: stranger).closeFrame()
            #expect(close.code == code, "\(type)")
            #expect(!close.reason.isEmpty)
        }
        #expect(try await stack.socket(Unique.name("none"), as: stranger).closeFrame().code == 4404)
    }

    // MARK: Tokens

    @Test func `a token may be in the header, in the query or in the subprotocol`() async throws {
        let stack = try await SharedStack.running()
        let user = try await stack.user()
        let roomID = try await stack.room(of: user)
        let token = try #require(user.token)
        let target = "/ws/chat?roomId=\(roomID)"
        func ready(_ target: String, _ headers: [(String, String)]) async throws -> WebSocketTestClient {
            let socket = try await WebSocketTestClient.connect(
                port: stack.webSocketPort(), target, headers: headers)
            #expect(try await socket.event(type: "ready")["userId"] == .integer(user.userID))
            return socket
        }
        let byHeader = try await ready(target, [("Authorization", "Bearer \(token)")])
        #expect(byHeader.handshake.header("Sec-WebSocket-Protocol") == nil)
        let byQuery = try await ready("\(target)&access_token=\(token)", [])
        #expect(byQuery.handshake.header("Sec-WebSocket-Protocol") == nil)
        let bySubprotocol = try await ready(target, [("Sec-WebSocket-Protocol", "chat.v1, bearer.\(token)")])
        #expect(bySubprotocol.handshake.header("Sec-WebSocket-Protocol") == "chat.v1")
    }

    @Test func `a missing or invalid token is refused with 4401`() async throws {
        let stack = try await SharedStack.running()
        let user = try await stack.user()
        let roomID = try await stack.room(of: user)
        let target = "/ws/chat?roomId=\(roomID)"
        let attempts: [(String, [(String, String)])] = [
            (target, []),
            (target, [("Authorization", "Bearer invalid")]),
            (target, [("Authorization", "Basic \(user.token ?? "")")]),
            ("\(target)&access_token=a.b.c", []),
            ("\(target)&access_token=", []),
            (target, [("Sec-WebSocket-Protocol", "chat.v1, bearer.a.b.c")]),
            (target, [("Sec-WebSocket-Protocol", "chat.v1")]),
        ]
        for (target, headers) in attempts {
            let socket = try await WebSocketTestClient.connect(
                port: stack.webSocketPort(), target, headers: headers)
            #expect(socket.handshake.status == 101)
            let close = try await socket.closeFrame()
            #expect(close.code == 4401, "\(target) \(headers)")
            #expect(!close.reason.isEmpty)
            #expect(socket.events.isEmpty)
        }
    }
}
