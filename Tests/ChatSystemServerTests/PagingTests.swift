import ChatTestSupport
import Testing

@Suite(.timeLimit(.minutes(2))) struct PagingTests {
    @Test func `each list accepts its own cursors only, and no truncated one`() async throws {
        let stack = try await SharedStack.running()
        let (user, other) = (try await stack.user(), try await stack.user())
        let prefix = Unique.name("N")
        var rooms: [String] = []
        // A name may hold any character but NUL, also one that looks like a separator.
        for name in ["\(prefix)\u{1F}\"]", "\(prefix)\u{1F}\u{301}"] {
            let made = try await stack.system.post(
                "/api/v1/rooms",
                ["name": .string(name), "type": "public", "memberIds": [.integer(other.userID)]], as: user.credentials
            ).require(201, "make a room")
            rooms.append(made.json["roomId"]?.string ?? "")
        }
        let lists = ["rooms?", "rooms/public?query=\(prefix)&", "rooms/\(rooms[0])/members?", "users?query=u-&"]
        func page(_ list: String, _ cursor: String?) async throws -> RESTResponse {
            try await stack.system.get(
                "/api/v1/\(list)limit=1\(cursor.map { "&cursor=\($0)" } ?? "")", as: user.credentials)
        }
        for list in lists {
            let first = try await page(list, nil).require(200, "first page").json
            let cursor = try #require(first["nextCursor"]?.string)
            let second = try await page(list, cursor).require(200, "second page").json
            #expect(second["items"]?.array?.count == 1)
            #expect(second["items"] != first["items"])
            for refused in try await lists.filter({ $0 != list }).asyncMap({ try await page($0, cursor) })
                + [try await page(list, String(cursor.dropLast(2))), try await page(list, cursor + "AAAA")]
            {
                #expect(refused.status == 422, "\(list) \(refused)")
                #expect(refused.fields == ["cursor"])
            }
        }
    }
}

extension Array {
    fileprivate func asyncMap<Result>(_ transform: (Element) async throws -> Result) async rethrows -> [Result] {
        var results: [Result] = []
        for element in self { results.append(try await transform(element)) }
        return results
    }
}
