import ChatTestSupport
import Testing

@Suite(.timeLimit(.minutes(2))) struct OpenRoomTests {
    struct Call: Sendable, CustomTestStringConvertible {
        let method: String
        let path: String
        let body: JSON?
        let status: Int
        var isOfMessageServer = false
        var testDescription: String { "\(method) \(path) → \(status)" }

        init(_ method: String, _ path: String, _ status: Int, _ body: JSON? = nil) {
            self.method = method
            self.path = path
            self.body = body
            self.status = status
        }

        var onMessageServer: Call {
            var call = self
            call.isOfMessageServer = true
            return call
        }
    }

    /// `$R` stands for the room, `$U` for the caller. Who is no member can change nothing.
    static let calls = [
        Call("GET", "rooms/$R", 200), Call("PATCH", "rooms/$R", 403, ["name": "x"]), Call("DELETE", "rooms/$R", 403),
        Call("GET", "rooms/$R/members", 200), Call("POST", "rooms/$R/members", 403, ["userId": 1]),
        Call("DELETE", "rooms/$R/members/1", 403), Call("DELETE", "rooms/$R/members/$U", 403),
        Call("PATCH", "rooms/$R/members/1", 403, ["role": "admin"]), Call("POST", "rooms/$R/join", 200),
        Call("POST", "rooms/$R/leave", 403), Call("PUT", "rooms/$R/read", 200, ["seq": 0]),
        Call("GET", "rooms/$R/messages", 200).onMessageServer, Call("GET", "rooms/$R/events", 200).onMessageServer,
    ]

    @Test(arguments: calls)
    func `the first call that names a room makes it public, named by its id and without an owner`(_ call: Call)
        async throws
    {
        let stack = try await SharedStack.running(.trusted)
        let user = try await stack.user()
        let roomID = Unique.name("first")
        let path = "/api/v1/" + call.path.replacing("$R", with: roomID).replacing("$U", with: String(user.userID))
        let client = call.isOfMessageServer ? stack.messages() : stack.system
        let answer =
            if let body = call.body {
                try await client.send(.init(call.method), path, body, as: user.credentials)
            } else { try await client.send(.init(call.method), path, as: user.credentials) }
        #expect(answer.status == call.status, "\(answer)")
        if call.status == 403 { #expect(answer.code == "not_a_member") }
        // A search makes nothing.
        let found = try await stack.system.get("/api/v1/rooms/public?query=\(roomID)", as: user.credentials)
        #expect(found.json["items"]?.array?.count == 1)
        let room = try #require(found.json["items"]?[0])
        #expect(room["roomId"] == .string(roomID))
        #expect(room["name"] == .string(roomID))
        #expect(room["type"] == "public")
        #expect(room["ownerId"] == nil)
    }
}
