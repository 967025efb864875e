import ChatLocalStack
import ChatTestSupport
import CommonUtil
import Testing

/// How streams end.
@Suite(.timeLimit(.minutes(2))) struct EventStreamEndTests {
    @Test func `the stream of a removed member ends for good, and the next one is refused`() async throws {
        let stack = try await SharedStack.running()
        let (owner, member) = (try await stack.user(), try await stack.user())
        let roomID = try await stack.room("public", of: owner, with: [member])
        let streams = [
            try await stack.stream(roomID, as: member, server: 0),
            try await stack.stream(roomID, as: member, server: 1),
        ]
        for stream in streams { try await stream.event(type: "ready") }
        try await stack.system.send(
            .delete, "/api/v1/rooms/\(roomID)/members/\(member.userID)", as: owner.credentials
        ).require(204, "remove")
        try await stack.say("not for you", in: roomID, as: owner)
        for stream in streams {
            let close = try await stream.closeEvent()
            #expect(close["code"] == 4403 && close["reason"]?.string?.isEmpty == false)
            try await stream.disconnected()
            #expect(stream.events.last?.type == "close")
            #expect(stream.messages.map { $0["eventType"] } == ["ready", "member_left"])
        }
        #expect(try await stack.stream(roomID, as: member).response.status == 403)
    }

    @Test func `the end of a sign-in ends its streams`() async throws {
        let stack = try await SharedStack.running()
        let user = try await stack.user()
        let roomID = try await stack.room(of: user)
        let stream = try await stack.stream(roomID, as: user)
        try await stream.event(type: "ready")
        try await stack.system.post(
            "/api/v1/auth/logout", ["refreshToken": .string(user.refreshToken)], as: user.credentials
        ).require(204, "logout")
        #expect(try await stream.closeEvent()["code"] == 4401)
        try await stream.disconnected()
        let refused = try await stack.stream(roomID, as: user).response
        #expect(refused.status == 401 && refused.json["code"] == "invalid_token")
    }

    @Test func `a stream ends when its token does`() async throws {
        let stack = try await SharedStack.running()
        let user = try await stack.user()
        let roomID = try await stack.room(of: user)
        let stream = try await stack.withServer(.system, ["CHAT_ACCESS_TOKEN_SECONDS": "8"]) { server async throws in
            let login = try await RESTClient(baseURL: server.url).post(
                "/api/v1/auth/login",
                ["username": .string(user.username), "password": .string(SharedStack.password)]
            ).require(200, "login").json
            let token = try #require(login["accessToken"]?.string)
            // Before the server stops, which may take longer than the token lasts.
            return try await stack.stream(roomID, as: user.signedIn(token: token))
        }
        let warning = try await stream.event(type: "token_expiring")
        let end = try #require(warning["expiresAt"]?.string.flatMap(Timestamp.init(text:)))
        let close = try await stream.closeEvent()
        let late = Timestamp.now.microseconds - end.microseconds
        #expect(close["code"] == 4408 && (0...10_000_000).contains(late))
        try await stream.disconnected()
    }

    @Test func `SIGTERM with open streams ends them with a time to come back, and exits with 0`() async throws {
        let stack = try await SharedStack.running(.trusted)
        let server = try stack.makeServer(.webSocket, ["CHAT_DRAIN_SECONDS": "5"])
        try await server.start(timeout: .seconds(60))
        let process = try #require(await server.running)
        let user = try await stack.user()
        let roomID = Unique.name("drain")
        var streams: [EventStreamTestClient] = []
        for _ in 0..<10 { streams.append(try await stack.stream(roomID, as: user, port: server.port)) }
        for stream in streams { try await stream.event(type: "ready") }
        // A client that does not read must not delay it.
        let unread = try await stack.stream(roomID, as: user, port: server.port, receiveBuffer: 4_096)
        try await unread.stopReading()
        process.terminate()
        for stream in streams {
            try await stream.event(type: "reconnect")
            try await stream.disconnected()
            #expect(stream.retries.count == 2 && (0...60_000).contains(stream.retries[1]))
            #expect(!stream.events.contains { $0.type == "close" } && stream.faults.isEmpty)
        }
        #expect(try await process.waitForExit(timeout: .seconds(20)) == .exited(0))
        try await server.stop()
    }

    @Test func `a trusted stream without a user only listens`() async throws {
        let stack = try await SharedStack.running(.trusted)
        let user = try await stack.user()
        let roomID = Unique.name("listen")
        let stream = try await stack.stream(roomID, as: nil)
        #expect(try await stream.event(type: "ready")["userId"] == nil)
        try await stack.say("Hello", in: roomID, as: user)
        #expect(try await stream.log(upTo: 1).count == 1)
        let bad = try await EventStreamTestClient.connect(
            port: stack.webSocketPort(), "/sse/chat?roomId=\(roomID)&userId=0")
        #expect(bad.response.status == 422)
    }
}
