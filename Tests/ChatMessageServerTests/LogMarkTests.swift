import ChatTestSupport
import Testing

/// `GET /rooms/{id}/events` for a client that says which log it knows.
@Suite(.timeLimit(.minutes(2))) struct LogMarkTests {
    private static func events(
        _ query: String, of roomID: String, as user: TestUser, on stack: SharedStack
    ) async throws -> RESTResponse {
        try await stack.messages().get("/api/v1/rooms/\(roomID)/events?\(query)", as: user.credentials)
    }

    @Test func `a page is given to a client whose event has the log's mark`() async throws {
        let stack = try await SharedStack.running()
        let user = try await stack.user()
        let roomID = try await stack.room(of: user)
        #expect(try await stack.room(roomID, as: user)["mark"] == nil)
        let posted = try await [stack.say("1", in: roomID, as: user), stack.say("2", in: roomID, as: user)]
        let marks = posted.compactMap { $0["mark"]?.string }
        #expect(Set(marks).count == 2)
        let log = try await stack.log(of: roomID, as: user)
        #expect(log.compactMap { $0["mark"]?.string } == marks)
        let room = try await stack.room(roomID, as: user)
        #expect(room["mark"]?.string == marks[1])
        let messageID = posted[0]["messageId"]?.int ?? 0
        _ = try await stack.messages().send(
            .patch, "/api/v1/messages/\(messageID)", ["payload": ["text": "other"]], as: user.credentials
        ).require(200, "edit")

        let page = try await Self.events("after=1&mark=\(marks[0])", of: roomID, as: user, on: stack)
        #expect(page.status == 200)
        #expect(page.json["items"]?.array?.compactMap { $0["seq"]?.int } == [2, 3])
        // Empty counts as absent.
        #expect(try await Self.events("after=1&mark=", of: roomID, as: user, on: stack).json == page.json)
        #expect(try await Self.events("mark=", of: roomID, as: user, on: stack).status == 200)
    }

    @Test func `a client that knows another log is refused, and a stranger learns nothing of it`() async throws {
        let stack = try await SharedStack.running()
        let (user, stranger) = (try await stack.user(), try await stack.user())
        let roomID = try await stack.room(of: user)
        let other = try await stack.room(of: user)
        let mark = try await stack.say("1", in: roomID, as: user)["mark"]?.string ?? ""
        let elsewhere = try await stack.say("1", in: other, as: user)["mark"]?.string ?? ""
        for query in [
            "after=1&mark=\(elsewhere)", "after=1&mark=abcdef", "after=1&mark=0123456789-_abcd", "after=2&mark=\(mark)",
            "after=9223372036854775807&mark=\(mark)",
        ] {
            let refused = try await Self.events(query, of: roomID, as: user, on: stack)
            #expect(refused.status == 409, "\(query)")
            #expect(refused.json["code"] == "log_mismatch")
            let hidden = try await Self.events(query, of: roomID, as: stranger, on: stack)
            #expect(hidden.status == 404)
            #expect(hidden.json["code"] == "room_not_found")
        }
        // Without a mark a page beyond the head is empty, as ever.
        #expect(try await Self.events("after=2", of: roomID, as: user, on: stack).json["items"] == [])
    }

    @Test(arguments: [
        "mark=abcdefghijk", "after=0&mark=abcdefghijk", "after=1&mark=abcde", "after=1&mark=0123456789abcdefg",
        "after=1&mark=abc.efg", "after=1&mark=%20abcdef", "after=1&mark=abcdef&mark=abcdef",
    ])
    func `a mark that is none, or of no event, is invalid`(query: String) async throws {
        let stack = try await SharedStack.running()
        let user = try await stack.user()
        let roomID = try await stack.room(of: user)
        let refused = try await Self.events(query, of: roomID, as: user, on: stack)
        #expect(refused.status == 422)
        #expect(refused.json["errors"]?.array?.compactMap { $0["field"]?.string } == ["mark"])
    }
}
