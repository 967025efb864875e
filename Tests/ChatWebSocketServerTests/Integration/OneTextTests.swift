import ChatTestSupport
import Testing

@Suite(.timeLimit(.minutes(2))) struct OneTextTests {
    @Test func `a live socket, a returning one and the REST log get the same text of every event`() async throws {
        let stack = try await SharedStack.running()
        let (owner, member) = (try await stack.user(), try await stack.user())
        let roomID = try await stack.room("public", of: owner)
        let live = try await stack.readySocket(roomID, as: owner)
        let path = "/api/v1/rooms/\(roomID)"
        try await stack.system.send(.post, "\(path)/join", as: member.credentials).require(200, "join")
        let first = try await stack.messages().post(
            "/api/v1/messages", SharedStack.post("\u{1}é\"☔/", in: roomID, key: "k"), as: member.credentials
        ).require(201, "post").json
        let reply: JSON = [
            "roomId": .string(roomID), "messageType": "sticker", "payload": ["stickerId": "s"],
            "replyToMessageId": first["messageId"] ?? .null,
        ]
        try await stack.messages(1).post("/api/v1/messages", reply, as: owner.credentials).require(201, "reply")
        try await stack.system.send(
            .patch, "\(path)/members/\(member.userID)", ["role": "admin"], as: owner.credentials
        ).require(200, "role")
        try await stack.system.send(.patch, path, ["name": "\u{7F}\"\\/ü"], as: owner.credentials).require(
            200, "rename")
        try await stack.system.send(.post, "\(path)/leave", as: member.credentials).require(204, "leave")
        try await stack.system.send(.delete, path, as: owner.credentials).require(200, "archive")

        let log = try await live.log(upTo: 7)
        #expect(
            log.map { $0["eventType"]?.string } == [
                "member_joined", "message", "message", "member_role_changed", "room_updated", "member_left",
                "room_archived",
            ])
        let texts = Array(live.texts.dropFirst())
        let resumed = try await stack.readySocket(roomID, as: owner, lastSeq: 0, server: 1)
        try await resumed.event(type: "caught_up")
        #expect(Array(resumed.texts.dropFirst().dropLast()) == texts)
        let page = try await stack.messages().get("\(path)/events", as: owner.credentials)
        #expect(page.text.hasPrefix(#"{"items":[\#(texts.joined(separator: ","))]"#))
        #expect(page.json.keys == ["items", "hasMore"])
        for event in log {
            let time = event["sentAt"]?.string ?? event["at"]?.string ?? ""
            #expect(time.wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/) != nil, "\(event)")
        }
    }
}
