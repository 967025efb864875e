extension SharedStack {
    /// Makes a room.
    /// - Returns: its id.
    public func room(
        _ type: String = "group", of owner: TestUser, with members: [TestUser] = [],
        roomID: String = Unique.name("room")
    ) async throws -> String {
        let body: JSON = [
            "roomId": .string(roomID), "name": "A room", "type": .string(type),
            "memberIds": .array(members.map { .integer($0.userID) }),
        ]
        let made = try await system.post("/api/v1/rooms", body, as: owner.credentials).require(201, "make a room")
        return made.json["roomId"]?.string ?? ""
    }

    /// The body of a post.
    public static func post(_ text: String, in roomID: String, key: String? = nil) -> JSON {
        var body: [String: JSON] = [
            "roomId": .string(roomID), "messageType": "text", "payload": ["text": .string(text)],
        ]
        if let key { body["clientMessageId"] = .string(key) }
        return .object(body)
    }

    /// Posts a text and expects it to be stored.
    /// - Returns: the Message.
    @discardableResult
    public func say(_ text: String, in roomID: String, as user: TestUser, server: Int = 0) async throws -> JSON {
        try await messages(server).post("/api/v1/messages", Self.post(text, in: roomID), as: user.credentials)
            .require(201, "post").json
    }

    /// The room's whole log, read over REST.
    public func log(of roomID: String, as user: TestUser, after: Int64 = 0) async throws -> [JSON] {
        var events: [JSON] = []
        var after = after
        while true {
            let page = try await messages().get(
                "/api/v1/rooms/\(roomID)/events?after=\(after)&limit=100", as: user.credentials
            ).require(200, "events").json
            events += page["items"]?.array ?? []
            guard page["hasMore"]?.bool == true, let next = page["nextAfter"]?.int else { return events }
            after = next
        }
    }

    /// The Room, read over REST.
    public func room(_ roomID: String, as user: TestUser) async throws -> JSON {
        try await system.get("/api/v1/rooms/\(roomID)", as: user.credentials).require(200, "room").json
    }

    // MARK: Event streams

    /// Opens a room's event stream, with the user's token in its header or in `trusted` mode its number.
    public func stream(
        _ roomID: String, as user: TestUser?, lastSeq: Int64? = nil, lastEventID: String? = nil, server: Int = 0,
        port: Int? = nil, headers: [(String, String)] = [], receiveBuffer: Int? = nil
    ) async throws -> EventStreamTestClient {
        var target = "/sse/chat?roomId=\(roomID)"
        if mode == .trusted, let user { target += "&userId=\(user.userID)" }
        if let lastSeq { target += "&lastSeq=\(lastSeq)" }
        let token = user?.token.map { [("Authorization", "Bearer \($0)")] } ?? []
        let position = lastEventID.map { [("Last-Event-ID", $0)] } ?? []
        return try await EventStreamTestClient.connect(
            port: port ?? webSocketPort(server), target, headers: token + position + headers,
            receiveBuffer: receiveBuffer)
    }

    /// Opens the event stream of a user's rooms.
    public func userStream(
        as user: TestUser?, lastEventID: String? = nil, server: Int = 0
    ) async throws -> EventStreamTestClient {
        let target = mode == .trusted ? user.map { "/sse/user?userId=\($0.userID)" } : nil
        let token = user?.token.map { [("Authorization", "Bearer \($0)")] } ?? []
        return try await EventStreamTestClient.connect(
            port: webSocketPort(server), target ?? "/sse/user",
            headers: token + (lastEventID.map { [("Last-Event-ID", $0)] } ?? []))
    }

    // MARK: Sockets

    /// Opens a socket and sends the handshake, with the user's token in its header or in `trusted` mode its number.
    public func socket(
        _ roomID: String, as user: TestUser?, lastSeq: Int64? = nil, lastMark: String? = nil, server: Int = 0,
        port: Int? = nil, receiveBuffer: Int? = nil, trusting: String? = nil
    ) async throws -> WebSocketTestClient {
        var target = "/ws/chat?roomId=\(roomID)"
        if mode == .trusted, let user { target += "&userId=\(user.userID)" }
        if let lastSeq { target += "&lastSeq=\(lastSeq)" }
        if let lastMark { target += "&lastMark=\(lastMark)" }
        return try await WebSocketTestClient.connect(
            port: port ?? webSocketPort(server), target,
            headers: user?.token.map { [("Authorization", "Bearer \($0)")] } ?? [], receiveBuffer: receiveBuffer,
            trusting: trusting)
    }

    /// Opens a socket and waits until it is `ready`.
    public func readySocket(
        _ roomID: String, as user: TestUser?, lastSeq: Int64? = nil, lastMark: String? = nil, server: Int = 0,
        port: Int? = nil, receiveBuffer: Int? = nil, trusting: String? = nil
    ) async throws -> WebSocketTestClient {
        let socket = try await socket(
            roomID, as: user, lastSeq: lastSeq, lastMark: lastMark, server: server, port: port,
            receiveBuffer: receiveBuffer, trusting: trusting)
        try await socket.event(type: "ready")
        return socket
    }
}
