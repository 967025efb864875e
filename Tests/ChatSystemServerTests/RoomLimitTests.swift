import ChatLocalStack
import ChatTestSupport
import Testing

@Suite(.timeLimit(.minutes(2))) struct RoomLimitTests {
    @Test func `beyond the limits adding, joining and making are refused with 409; leaving frees a place`() async throws
    {
        let stack = try await SharedStack.running()
        let users = try await stack.users(3)
        let (owner, friend, stranger) = (users[0], users[1], users[2])
        let limits = ["CHAT_LIMIT_ROOMS_PER_USER": "2", "CHAT_LIMIT_MEMBERS_PER_ROOM": "2"]
        try await stack.withServer(.system, limits) { server in
            let system = RESTClient(baseURL: server.url)
            func make(_ members: [TestUser] = []) async throws -> RESTResponse {
                let body: JSON = [
                    "name": "Limits", "type": "public", "memberIds": .array(members.map { .integer($0.userID) }),
                ]
                return try await system.post("/api/v1/rooms", body, as: owner.credentials)
            }
            #expect(try await make([friend, stranger]).code == "room_full")
            let roomID = try await make([friend]).require(201, "make").json["roomId"]?.string ?? ""
            let room = "/api/v1/rooms/\(roomID)"
            let add: JSON = ["userId": .integer(stranger.userID)]
            for answer in [
                try await system.post("\(room)/members", add, as: owner.credentials),
                try await system.send(.post, "\(room)/join", as: stranger.credentials),
            ] {
                #expect(answer.status == 409)
                #expect(answer.code == "room_full")
            }
            try await make().require(201, "make")
            let third = try await make()
            #expect(third.status == 409)
            #expect(third.code == "too_many_rooms")
            // Who is in already is refused nothing.
            try await system.send(.post, "\(room)/join", as: friend.credentials).require(200, "join again")
            try await system.send(.post, "\(room)/leave", as: friend.credentials).require(204, "leave")
            try await system.send(.post, "\(room)/join", as: stranger.credentials).require(200, "join")
        }
    }
}
