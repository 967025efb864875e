import ChatTestSupport
import Testing

/// A room in which everything of ``RoomAction`` can be tried.
struct AuthorizationRoom: Sendable {
    /// Which room it is.
    enum Place: String, Sendable {
        case group, `private`, `public`, direct
        case archivedGroup, archivedPrivate, archivedPublic

        var type: String {
            switch self {
            case .archivedGroup: "group"
            case .archivedPrivate: "private"
            case .archivedPublic: "public"
            default: rawValue
            }
        }
        var isArchived: Bool { [.archivedGroup, .archivedPrivate, .archivedPublic].contains(self) }
    }

    /// The people of all rooms.
    struct People: Sendable {
        var callers: [AuthorizationPage.Caller: TestUser]
        let otherMember: TestUser
        let otherAdmin: TestUser
        let newcomer: TestUser

        init(_ stack: SharedStack) async throws {
            let users = try await stack.users(9)
            let callers: [AuthorizationPage.Caller] = [.stranger, .removed, .member, .sender, .admin, .owner]
            self.callers = Dictionary(uniqueKeysWithValues: zip(callers, users))
            (otherMember, otherAdmin, newcomer) = (users[6], users[7], users[8])
        }

        /// A pair that has no direct room yet: the owner, and one who is both member and sender.
        func withNewPair(_ stack: SharedStack) async throws -> People {
            var people = self
            let pair = try await stack.users(2)
            for caller in AuthorizationPage.Caller.allCases { people.callers[caller] = nil }
            people.callers[.stranger] = callers[.stranger]
            people.callers[.owner] = pair[0]
            people.callers[.member] = pair[1]
            people.callers[.sender] = pair[1]
            return people
        }

        subscript(caller: AuthorizationPage.Caller) -> TestUser {
            get throws {
                guard let user = callers[caller] else { throw Missing(caller: caller) }
                return user
            }
        }

        func credentials(of caller: AuthorizationPage.Caller) throws -> Credentials {
            switch caller {
            case .noToken: .none
            case .badToken: .token("not.a.token")
            default: try self[caller].credentials
            }
        }
    }

    struct Missing: Error {
        let caller: AuthorizationPage.Caller
    }

    let stack: SharedStack
    let people: People
    let place: Place
    let roomID: String
    /// The sender's, and the owner's.
    let messageIDs: (sender: Int64, owner: Int64)
    /// The sender's, and the owner's; empty where no file is needed.
    let fileIDs: (sender: String, owner: String)
    /// The last event when all was ready to be tried.
    let head: Int64
    /// Opened while the removed member was one.
    let removedSocket: WebSocketTestClient?
    /// The same for event streams.
    let removedStream: EventStreamTestClient?

    /// - Parameter keepsSocket: whether the one who is to be removed has a socket and a stream open then.
    init(_ stack: SharedStack, _ people: People, _ place: Place, keepsSocket: Bool, hasFiles: Bool) async throws {
        (self.stack, self.people, self.place) = (stack, people, place)
        let (owner, sender) = (try people[.owner], try people[.sender])
        if place == .direct {
            let body: JSON = ["type": "direct", "memberIds": [.integer(sender.userID)]]
            let made = try await stack.system.post("/api/v1/rooms", body, as: owner.credentials)
            roomID = try #require(made.json["roomId"]?.string, "\(made)")
            (removedSocket, removedStream) = (nil, nil)
        } else {
            let (admin, removed) = (try people[.admin], try people[.removed])
            roomID = try await stack.room(
                place.type, of: owner,
                with: [removed, try people[.member], sender, admin, people.otherMember, people.otherAdmin])
            let members = "/api/v1/rooms/\(roomID)/members/"
            for user in [admin, people.otherAdmin] {
                try await stack.system.send(
                    .patch, members + "\(user.userID)", ["role": "admin"], as: owner.credentials
                ).require(200, "make an admin")
            }
            removedSocket = keepsSocket ? try await stack.readySocket(roomID, as: removed) : nil
            removedStream = keepsSocket ? try await stack.stream(roomID, as: removed) : nil
            try await removedStream?.event(type: "ready")
            try await stack.system.send(.delete, members + "\(removed.userID)", as: owner.credentials)
                .require(204, "remove")
        }
        let ofSender = try await stack.say("Hello", in: roomID, as: sender)
        let ofOwner = try await stack.say("Hello", in: roomID, as: owner)
        messageIDs = (ofSender["messageId"]?.int ?? 0, ofOwner["messageId"]?.int ?? 0)
        fileIDs =
            hasFiles
            ? (
                try await Self.file(stack, in: roomID, of: sender), try await Self.file(stack, in: roomID, of: owner)
            ) : ("", "")
        if place.isArchived {
            try await stack.system.send(.delete, "/api/v1/rooms/\(roomID)", as: owner.credentials)
                .require(200, "archive")
        }
        head = try await stack.room(roomID, as: owner)["lastSeq"]?.int ?? 0
    }

    /// Does something as one of the callers.
    /// - Returns: what the table's cells say.
    func outcome(of action: RoomAction, by caller: AuthorizationPage.Caller) async throws -> String {
        guard !action.isOfSockets else { return try await socketOutcome(of: action, by: caller) }
        guard !action.isOfStreams else { return try await streamOutcome(of: action, by: caller) }
        let (method, path, body) = try request(action, by: caller)
        let isOfMessages = [.post, .message, .edit, .delete, .history, .events].contains(action) || action.isOfFiles
        let server = isOfMessages ? stack.messages() : stack.system
        let credentials = try people.credentials(of: caller)
        let answer =
            if let body {
                try await server.send(method, "/api/v1" + path, body, as: credentials)
            } else {
                try await server.send(method, "/api/v1" + path, as: credentials)
            }
        return "\(answer.status)"
    }

    private static func file(_ stack: SharedStack, in roomID: String, of user: TestUser) async throws -> String {
        try await stack.messages().send(
            .post, "/api/v1/files?roomId=\(roomID)&name=a", as: user.credentials, bytes: [1]
        ).require(201, "upload").json["fileId"]?.string ?? ""
    }

    /// Whether nothing has happened since it was made.
    var isUntouched: Bool {
        get async throws { try await stack.room(roomID, as: people[.owner])["lastSeq"]?.int == head }
    }

    private func request(
        _ action: RoomAction, by caller: AuthorizationPage.Caller
    ) throws -> (RESTClient.Method, String, JSON?) {
        let room = "/rooms/\(roomID)"
        let members = room + "/members"
        let newcomer = JSON.integer(people.newcomer.userID)
        let (member, admin) = (people.otherMember.userID, people.otherAdmin.userID)
        let owner = try people[.owner].userID
        // In a direct room the member is the sender, too: let it be the other's message that it tries.
        let messageID = place == .direct && caller == .member ? messageIDs.owner : messageIDs.sender
        let file = "/files/\(place == .direct && caller == .member ? fileIDs.owner : fileIDs.sender)"
        return switch action {
        case .read: (.get, room, nil)
        case .rename: (.patch, room, ["name": "Renamed"])
        case .archive: (.delete, room, nil)
        case .markRead: (.put, room + "/read", ["seq": 1])
        case .members: (.get, members, nil)
        case .addMember: (.post, members, ["userId": newcomer])
        case .addAdmin: (.post, members, ["userId": newcomer, "role": "admin"])
        case .addOwner: (.post, members, ["userId": newcomer, "role": "owner"])
        case .promote: (.patch, members + "/\(member)", ["role": "admin"])
        case .demote: (.patch, members + "/\(admin)", ["role": "member"])
        case .demoteOwner: (.patch, members + "/\(owner)", ["role": "member"])
        case .removeMember: (.delete, members + "/\(member)", nil)
        case .removeAdmin: (.delete, members + "/\(admin)", nil)
        case .removeOwner: (.delete, members + "/\(owner)", nil)
        case .removeOneself: (.delete, members + "/\(people.callers[caller]?.userID ?? member)", nil)
        case .join: (.post, room + "/join", nil)
        case .leave: (.post, room + "/leave", nil)
        case .post: (.post, "/messages", SharedStack.post("Hello", in: roomID))
        case .upload: (.post, "/files?roomId=\(roomID)&name=a", [:])
        case .fileInfo: (.get, file + "/info", nil)
        case .download: (.get, file, nil)
        case .deleteFile: (.delete, file, nil)
        case .message: (.get, "/messages/\(messageID)", nil)
        case .edit: (.patch, "/messages/\(messageID)", ["payload": ["text": "Edited"]])
        case .delete: (.delete, "/messages/\(messageID)", nil)
        case .history: (.get, room + "/messages", nil)
        default: (.get, room + "/events", nil)
        }
    }
}
