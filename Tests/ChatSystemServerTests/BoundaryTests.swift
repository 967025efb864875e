import ChatTestSupport
import CommonUtil
import Testing

/// Values at the very bounds that the contract names: good on this side, refused on the other.
@Suite(.timeLimit(.minutes(2))) struct BoundaryTests {
    private static let scalar = "😀"

    private static func scalars(_ count: Int) -> String { String(repeating: scalar, count: count) }

    @Test func `names and passwords are counted in Unicode scalars, also those of four bytes`() async throws {
        let stack = try await SharedStack.running()
        let longName = Unique.name("L._-0").padding(to: 32, with: "z")
        #expect(longName.count == 32)
        for (username, password, displayName) in [
            (longName, Self.scalars(128), Self.scalars(64)), (String(Unique.name("").suffix(3)), "12345678", "x"),
        ] {
            let registered = try await stack.system.post(
                "/api/v1/auth/register",
                [
                    "username": .string(username), "password": .string(password), "displayName": .string(displayName),
                ])
            #expect(registered.status == 201, "\(registered)")
            #expect(registered.json["username"] == .string(username.lowercased()))
            #expect(registered.json["displayName"] == .string(displayName))
            func login(_ username: String, _ password: String) async throws -> Int {
                try await stack.system.post(
                    "/api/v1/auth/login", ["username": .string(username), "password": .string(password)]
                ).status
            }
            #expect(try await login(username.uppercased(), password) == 200)
            #expect(try await login(username, String(password.dropLast())) == 401)
        }
        let long = try await stack.system.post(
            "/api/v1/auth/register",
            [
                "username": .string(Unique.name("u")), "password": .string(Self.scalars(129)),
                "displayName": .string(Self.scalars(65)),
            ])
        #expect(long.status == 422)
        #expect(Set(long.fields) == ["password", "displayName"])
    }

    @Test func `rooms, texts and keys of the greatest length come back unchanged over REST and socket`() async throws {
        let stack = try await SharedStack.running()
        let user = try await stack.user()
        let roomID = Unique.name("R.b_").padding(to: 64, with: "Z")
        #expect(roomID.count == 64)
        let made = try await stack.system.post(
            "/api/v1/rooms", ["roomId": .string(roomID), "name": .string(Self.scalars(64)), "type": "group"],
            as: user.credentials)
        #expect(made.status == 201)
        #expect(made.json["roomId"] == .string(roomID))
        #expect(made.json["name"] == .string(Self.scalars(64)))
        let socket = try await stack.readySocket(roomID, as: user)
        func post(_ text: Int, _ key: Int) async throws -> RESTResponse {
            try await stack.messages().post(
                "/api/v1/messages", SharedStack.post(Self.scalars(text), in: roomID, key: Self.scalars(key)),
                as: user.credentials)
        }
        let posted = try await post(8_000, 64)
        #expect(posted.status == 201)
        #expect(posted.json["contentJson"]?.string == #"{"text":"\#(Self.scalars(8_000))"}"#)
        #expect(posted.json["clientMessageId"]?.string == Self.scalars(64))
        let again = try await post(8_000, 64)
        #expect(again.status == 200)
        #expect(again.json == posted.json)
        let event = try await socket.event(type: "message")
        #expect(event.without("eventType") == posted.json)
        #expect(event["roomId"] == .string(roomID))
        for (text, key, field) in [(8_001, 1, "payload.text"), (8_000, 65, "clientMessageId")] {
            let refused = try await post(text, key)
            #expect(refused.status == 422)
            #expect(refused.fields == [field])
        }
        #expect(try await stack.room(roomID, as: user)["lastSeq"] == 1)
    }

    @Test func `the largest user id works everywhere, and the largest seq is valid`() async throws {
        let stack = try await SharedStack.running(.trusted)
        let roomID = Unique.name("max")
        let user = Credentials.user(UserID.largest)
        let target = "/ws/chat?roomId=\(roomID)"
        let socket = try await WebSocketTestClient.connect(
            port: stack.webSocketPort(), "\(target)&userId=\(UserID.largest)")
        #expect(try await socket.event(type: "ready")["userId"] == .integer(UserID.largest))
        let posted = try await stack.messages().post("/api/v1/messages", SharedStack.post("Hi", in: roomID), as: user)
        #expect(posted.status == 201)
        #expect(posted.text.contains(#""senderId":9007199254740991,"#))
        try await socket.event(type: "message")
        #expect(socket.texts.last?.contains(#""senderId":9007199254740991,"#) == true)

        let refused = try await stack.messages().post(
            "/api/v1/messages", SharedStack.post("Hi", in: roomID), as: .user(UserID.largest + 1))
        #expect(refused.status == 422)
        #expect(refused.fields == ["X-User-Id"])
        let closed = try await WebSocketTestClient.connect(
            port: stack.webSocketPort(), "\(target)&userId=\(UserID.largest + 1)")
        #expect(try await closed.closeFrame().code == 1007)

        let read = try await stack.system.send(
            .put, "/api/v1/rooms/\(roomID)/read", ["seq": .integer(Int64.max)], as: user)
        #expect(read.json["lastReadSeq"] == 1)
        try await stack.system.send(.post, "/api/v1/rooms/\(roomID)/join", as: user).require(200, "join")
        let joined = try await socket.event(type: "member_joined")
        #expect(joined["userId"] == .integer(UserID.largest))
        #expect(joined["actorId"] == .integer(UserID.largest))

        let history = "/api/v1/rooms/\(roomID)/messages"
        for (query, count) in [("before=\(Int64.max)", 1), ("after=\(Int64.max)", 0), ("before=0", 0)] {
            let page = try await stack.messages().get("\(history)?\(query)", as: user).require(200, "history").json
            #expect(page["items"]?.array?.count == count, "\(query)")
            #expect(page["hasMore"] == false)
        }
        let beyond = try await WebSocketTestClient.connect(
            port: stack.webSocketPort(), "\(target)&lastSeq=\(Int64.max)")
        #expect(try await beyond.closeFrame().code == 4409)
    }
}

extension String {
    fileprivate func padding(to count: Int, with filler: String) -> String {
        self + String(repeating: filler, count: max(0, count - self.count))
    }
}
