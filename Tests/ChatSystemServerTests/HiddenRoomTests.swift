import ChatTestSupport
import CommonUtil
import Testing

@Suite(.timeLimit(.minutes(2))) struct HiddenRoomTests {
    /// `$R`, `$M` and `$U` stand for a room, a message in it and one of its members.
    private static let system: [(String, String, JSON?)] = [
        ("GET", "rooms/$R", nil), ("PATCH", "rooms/$R", ["name": "x"]), ("DELETE", "rooms/$R", nil),
        ("GET", "rooms/$R/members", nil), ("DELETE", "rooms/$R/members/$U", nil),
        ("PATCH", "rooms/$R/members/$U", ["role": "admin"]), ("POST", "rooms/$R/join", nil),
        ("POST", "rooms/$R/leave", nil), ("PUT", "rooms/$R/read", ["seq": 1]),
    ]
    private static let messages: [(String, String, JSON?)] = [
        ("GET", "rooms/$R/messages", nil), ("GET", "rooms/$R/events", nil), ("GET", "messages/$M", nil),
        ("PATCH", "messages/$M", ["payload": ["text": "x"]]), ("DELETE", "messages/$M", nil),
    ]

    @Test(arguments: ["group", "private", "direct"])
    func `a hidden room gets the same response as a room that does not exist`(_ type: String) async throws {
        let stack = try await SharedStack.running()
        let users = try await stack.users(3)
        let (owner, member, stranger) = (users[0], users[1], users[2])
        let roomID = try await stack.room(type, of: owner, with: [member])
        let messageID = try #require(try await stack.say("Hello", in: roomID, as: owner)["messageId"]?.int)
        let nowhere = Unique.name("nowhere")
        func ask(
            _ client: RESTClient, _ call: (String, String, JSON?), _ roomID: String, _ messageID: Int64
        ) async throws -> RESTResponse {
            let path =
                "/api/v1/"
                + call.1.replacing("$R", with: roomID).replacing("$M", with: String(messageID))
                .replacing("$U", with: String(member.userID))
            guard let body = call.2 else { return try await client.send(.init(call.0), path, as: stranger.credentials) }
            return try await client.send(.init(call.0), path, body, as: stranger.credentials)
        }
        for (client, calls) in [(stack.system, Self.system), (stack.messages(), Self.messages)] {
            for call in calls {
                let hidden = try await ask(client, call, roomID, messageID)
                #expect(hidden.status == 404, "\(call)")
                let absent = try await ask(client, call, nowhere, MessageID.largest)
                #expect(hidden.json.without("traceId") == absent.json.without("traceId"), "\(call)")
            }
        }
        let posts = [
            try await stack.messages().post(
                "/api/v1/messages", SharedStack.post("x", in: roomID), as: stranger.credentials),
            try await stack.messages().post(
                "/api/v1/messages", SharedStack.post("x", in: nowhere), as: stranger.credentials),
        ]
        #expect(posts.allSatisfy { $0.status == 404 && $0.code == "room_not_found" })
        #expect(
            try await stack.socket(roomID, as: stranger).closeFrame()
                == stack.socket(nowhere, as: stranger).closeFrame())
        #expect(try await stack.room(roomID, as: owner)["lastSeq"] == 1)
    }

    @Test func `a reply needs a message of the same room`() async throws {
        let stack = try await SharedStack.running()
        let (owner, stranger) = (try await stack.user(), try await stack.user())
        let (hidden, own) = (try await stack.room(of: owner), try await stack.room(of: stranger))
        for message in [
            try await stack.say("secret", in: hidden, as: owner), ["messageId": .integer(MessageID.largest)],
        ] {
            let reply: JSON = [
                "roomId": .string(own), "messageType": "text", "payload": ["text": "?"],
                "replyToMessageId": message["messageId"] ?? .null,
            ]
            let refused = try await stack.messages().post("/api/v1/messages", reply, as: stranger.credentials)
            #expect(refused.status == 422)
            #expect(refused.fields == ["replyToMessageId"])
        }
    }
}
