import ChatTestSupport
import Testing

@Suite(.timeLimit(.minutes(2))) struct HistoryTests {
    @Test func `pages are newest first, before and after a seq, until the end`() async throws {
        let stack = try await SharedStack.running()
        let user = try await stack.user()
        let roomID = try await stack.room(of: user)
        for index in 1...7 { try await stack.say("\(index)", in: roomID, as: user) }
        func page(_ query: String) async throws -> (seqs: [Int64], json: JSON) {
            let answer = try await stack.messages().get(
                "/api/v1/rooms/\(roomID)/messages?\(query)", as: user.credentials
            ).require(200, "history").json
            return ((answer["items"]?.array ?? []).compactMap { $0["seq"]?.int }, answer)
        }
        let newest = try await page("limit=3")
        #expect(newest.seqs == [7, 6, 5])
        #expect(newest.json["hasMore"] == true)
        #expect(newest.json["nextBefore"] == 5)
        let older = try await page("limit=3&before=5")
        #expect(older.seqs == [4, 3, 2])
        let oldest = try await page("limit=3&before=2")
        #expect(oldest.seqs == [1])
        #expect(oldest.json["hasMore"] == false)
        #expect(oldest.json["nextBefore"] == nil)
        let after = try await page("limit=3&after=3")
        #expect(after.seqs == [4, 5, 6])
        #expect(after.json["nextAfter"] == 6)
        #expect(try await page("after=6").seqs == [7])
        #expect(try await page("after=7").seqs == [])
        #expect(try await page("before=1").seqs == [])

        let events = try await stack.messages().get(
            "/api/v1/rooms/\(roomID)/events?after=2&limit=2", as: user.credentials
        ).json
        #expect(events["items"]?.array?.map { $0["seq"]?.int } == [3, 4])
        #expect(events["nextAfter"] == 4)
        #expect(events["hasMore"] == true)
    }

    @Test func `the default limit is 50, and a page between two seqs ascends`() async throws {
        let stack = try await SharedStack.running(.trusted)
        let user = try await stack.user()
        let roomID = Unique.name("pages")
        for index in 1...51 { try await stack.say("\(index)", in: roomID, as: user) }
        func page(_ query: String) async throws -> (seqs: [Int64], json: JSON) {
            let answer = try await stack.messages().get("/api/v1/rooms/\(roomID)/\(query)", as: user.credentials)
                .require(200, "page").json
            return ((answer["items"]?.array ?? []).compactMap { $0["seq"]?.int }, answer)
        }
        let newest = try await page("messages")
        #expect(newest.seqs == (2...51).reversed())
        #expect(newest.json.keys == ["items", "hasMore", "nextBefore"])
        #expect(newest.json["nextBefore"] == 2)
        let events = try await page("events")
        #expect(events.seqs == Array(1...50))
        #expect(events.json.keys == ["items", "hasMore", "nextAfter"])
        #expect(events.json["nextAfter"] == 50)
        let between = try await page("messages?after=10&before=13")
        #expect(between.seqs == [11, 12])
        #expect(between.json.keys == ["items", "hasMore"])
        #expect(try await page("messages?limit=100").seqs.count == 51)
    }

    @Test func `public rooms can be read by every signed-in user; others are hidden from non-members`() async throws {
        let stack = try await SharedStack.running()
        let (owner, stranger) = (try await stack.user(), try await stack.user())
        for (type, status) in [("public", 200), ("group", 404), ("private", 404)] {
            let roomID = try await stack.room(type, of: owner)
            let message = try await stack.say("Hello", in: roomID, as: owner)
            for path in [
                "rooms/\(roomID)/messages", "rooms/\(roomID)/events", "messages/\(message["messageId"]?.int ?? 0)",
            ] {
                let answer = try await stack.messages().get("/api/v1/\(path)", as: stranger.credentials)
                #expect(answer.status == status, "\(type) \(path)")
                #expect(try await stack.messages().get("/api/v1/\(path)").status == 401)
            }
        }
    }
}
