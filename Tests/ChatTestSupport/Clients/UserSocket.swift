import CommonUtil

extension SharedStack {
    /// Opens a user socket and waits until it is `ready`.
    /// - Parameter query: further parameters, such as `from=now`.
    public func userSocket(
        as user: TestUser, query: String = "", server: Int = 0, port: Int? = nil, receiveBuffer: Int? = nil
    ) async throws -> WebSocketTestClient {
        var parameters = query.isEmpty ? [] : [query]
        if mode == .trusted { parameters.append("userId=\(user.userID)") }
        let socket = try await WebSocketTestClient.connect(
            port: port ?? webSocketPort(server),
            "/ws/user" + (parameters.isEmpty ? "" : "?" + parameters.joined(separator: "&")),
            headers: user.token.map { [("Authorization", "Bearer \($0)")] } ?? [], receiveBuffer: receiveBuffer)
        try await socket.event(type: "ready")
        return socket
    }

    /// Opens a user socket and synchronizes it.
    public func syncedSocket(
        as user: TestUser, _ sync: JSON = [:], server: Int = 0, port: Int? = nil
    ) async throws -> WebSocketTestClient {
        let socket = try await userSocket(as: user, server: server, port: port)
        try await socket.sync(sync)
        return socket
    }
}

extension WebSocketTestClient {
    /// Sends `sync` and waits for `synced`.
    /// - Returns: the cursor.
    @discardableResult
    public func sync(_ fields: JSON = [:]) async throws -> String {
        var frame = fields.object ?? [:]
        frame["type"] = "sync"
        try await send(.object(frame))
        return try await event(type: "synced")["cursor"]?.string ?? ""
    }

    /// Waits until there are as many events of a type.
    /// - Returns: those that there are.
    @discardableResult
    public func events(
        ofType type: String, count: Int, within time: Duration = defaultTimeout
    ) async throws -> [JSON] {
        try await wait(for: "\(count) events '\(type)'", within: time) { record in
            let found = record.events.filter { $0["eventType"]?.string == type }
            return found.count >= count ? found : nil
        }
    }

    /// What came of a room, in order: `eventType`, with the `seq` where there is one.
    public func story(of roomID: String) -> [String] {
        events.filter { $0["roomId"]?.string == roomID || $0["room"]?["roomId"]?.string == roomID }.map { event in
            let type = event["eventType"]?.string ?? "?"
            return event["seq"]?.int.map { "\(type) \($0)" } ?? type
        }
    }
}
