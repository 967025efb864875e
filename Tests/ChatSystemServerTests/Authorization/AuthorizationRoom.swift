import ChatTestSupport

/// A room in which everything of ``AuthorizationTable`` can be tried once.
struct AuthorizationRoom: Sendable {
    /// The people of all rooms.
    struct People: Sendable {
        let callers: [AuthorizationTable.Caller: TestUser]
        let otherMember: TestUser
        let otherAdmin: TestUser
        let newcomer: TestUser
    }

    let stack: SharedStack
    let people: People
    let roomID: String
    /// The sender's.
    let messageID: Int64

    static func people(_ stack: SharedStack) async throws -> People {
        let users = try await stack.users(9)
        let callers: [AuthorizationTable.Caller] = [.stranger, .removed, .member, .sender, .admin, .owner]
        return People(
            callers: Dictionary(uniqueKeysWithValues: zip(callers, users)), otherMember: users[6],
            otherAdmin: users[7], newcomer: users[8])
    }

    init(_ stack: SharedStack, _ people: People, isPublic: Bool) async throws {
        self.stack = stack
        self.people = people
        func user(_ caller: AuthorizationTable.Caller) throws -> TestUser {
            guard let user = people.callers[caller] else { throw Missing(caller: caller) }
            return user
        }
        let (owner, sender, admin, removed) = try (user(.owner), user(.sender), user(.admin), user(.removed))
        roomID = try await stack.room(
            isPublic ? "public" : "group", of: owner,
            with: [removed, try user(.member), sender, admin, people.otherMember, people.otherAdmin])
        let members = "/api/v1/rooms/\(roomID)/members/"
        for user in [admin, people.otherAdmin] {
            try await stack.system.send(.patch, members + "\(user.userID)", ["role": "admin"], as: owner.credentials)
                .require(200, "make an admin")
        }
        try await stack.system.send(.delete, members + "\(removed.userID)", as: owner.credentials)
            .require(204, "remove")
        messageID = try await stack.say("Hello", in: roomID, as: sender)["messageId"]?.int ?? 0
    }

    struct Missing: Error {
        let caller: AuthorizationTable.Caller
    }

    /// Does something as one of the callers.
    /// - Returns: what the table's cells say.
    func outcome(of action: AuthorizationTable.Action, by caller: AuthorizationTable.Caller) async throws -> String {
        let credentials: Credentials =
            switch caller {
            case .noToken: .none
            case .badToken: .token("not.a.token")
            default: people.callers[caller]?.credentials ?? .none
            }
        guard action != .connect else { return try await socketOutcome(credentials) }
        let (method, path, body) = request(action)
        let isOfMessages = [.post, .message, .edit, .delete, .history, .events].contains(action)
        let server = isOfMessages ? stack.messages() : stack.system
        let answer =
            if let body {
                try await server.send(method, "/api/v1" + path, body, as: credentials)
            } else {
                try await server.send(method, "/api/v1" + path, as: credentials)
            }
        return "\(answer.status)"
    }

    private func request(_ action: AuthorizationTable.Action) -> (RESTClient.Method, String, JSON?) {
        let room = "/rooms/\(roomID)"
        let newcomer = JSON.integer(people.newcomer.userID)
        let (member, admin) = (people.otherMember.userID, people.otherAdmin.userID)
        return switch action {
        case .read, .connect: (.get, room, nil)
        case .rename: (.patch, room, ["name": "Renamed"])
        case .archive: (.delete, room, nil)
        case .markRead: (.put, room + "/read", ["seq": 1])
        case .members: (.get, room + "/members", nil)
        case .addMember: (.post, room + "/members", ["userId": newcomer])
        case .addAdmin: (.post, room + "/members", ["userId": newcomer, "role": "admin"])
        case .changeRole: (.patch, room + "/members/\(member)", ["role": "admin"])
        case .removeMember: (.delete, room + "/members/\(member)", nil)
        case .removeAdmin: (.delete, room + "/members/\(admin)", nil)
        case .join: (.post, room + "/join", nil)
        case .leave: (.post, room + "/leave", nil)
        case .post: (.post, "/messages", SharedStack.post("Hello", in: roomID))
        case .message: (.get, "/messages/\(messageID)", nil)
        case .edit: (.patch, "/messages/\(messageID)", ["payload": ["text": "Edited"]])
        case .delete: (.delete, "/messages/\(messageID)", nil)
        case .history: (.get, room + "/messages", nil)
        case .events: (.get, room + "/events", nil)
        }
    }

    private func socketOutcome(_ credentials: Credentials) async throws -> String {
        var headers: [(String, String)] = []
        if case .token(let token) = credentials { headers = [("Authorization", "Bearer \(token)")] }
        let socket = try await WebSocketTestClient.connect(
            port: stack.webSocketPort(0), "/ws/chat?roomId=\(roomID)", headers: headers)
        if let event = try? await socket.event(type: "ready", within: .seconds(20)) {
            socket.drop()
            return event["eventType"]?.string ?? ""
        }
        return try await socket.closeFrame().code.map { "\($0)" } ?? "no code"
    }
}
