import ChatLocalStack
import ChatTestSupport
import CommonAuth
import CommonUtil

extension AuthorizationRoom {
    /// Opens a socket as the caller and does something on it; a removed member has its socket from before.
    /// - Returns: what came, or the code with which the socket was closed.
    func socketOutcome(of action: RoomAction, by caller: AuthorizationPage.Caller) async throws -> String {
        let opens = action == .connect || action == .resume
        let token: String? = if case .token(let token) = try people.credentials(of: caller) { token } else { nil }
        let socket =
            if caller == .removed, !opens, let removedSocket {
                removedSocket
            } else {
                try await WebSocketTestClient.connect(
                    port: stack.webSocketPort(),
                    "/ws/chat?roomId=\(roomID)" + (action == .resume ? "&lastSeq=0" : ""),
                    headers: token.map { [("Authorization", "Bearer \($0)")] } ?? [])
            }
        defer { socket.drop() }
        if caller == .removed, !opens {
            // Said after the removal, and heard by those who are in the room.
            let code = try await socket.closeFrame().code
            let heard = socket.events.contains { $0["eventType"] == "message" }
            return heard ? "message" : code.map { "\($0)" } ?? "no code"
        }
        if let refusal = try await socket.refusal() { return refusal.code.map { "\($0)" } ?? "no code" }
        switch action {
        case .resume:
            try await socket.event(type: "caught_up")
            return socket.events.contains { $0["eventType"] == "message" } ? "events" : "nothing"
        case .receive:
            let seq = try await stack.say("Listen", in: roomID, as: listener(to: caller))["seq"]
            try await socket.event("the post") { $0["seq"] == seq && $0["eventType"] == "message" }
            return "message"
        case .ping:
            try await socket.send(["type": "ping"])
            try await socket.event(type: "pong")
            return "pong"
        case .typing:
            // To end first what the same user may have begun in this room on another socket, which would be no news.
            try await socket.send(["type": "typing", "typing": false])
            return try await publishedType(["type": "typing", "typing": true], "typing", socket, caller)
        case .readFrame:
            var seq = JSON.integer(head)
            if !place.isArchived {
                // Whoever spoke last has read all.
                seq = try await stack.say("Read", in: roomID, as: listener(to: caller))["seq"] ?? .null
            }
            return try await publishedType(["type": "read", "seq": seq], "read", socket, caller)
        case .authOwn: return try await renewal(with: token ?? "", socket)
        case .authOther:
            return try await renewal(with: people[.stranger].token ?? "", socket)
        case .authExpired: return try await renewal(with: try await expiredToken(of: people[caller]), socket)
        case .authBad: return try await renewal(with: "not.a.token", socket)
        default: return "ready"
        }
    }

    /// Sends a frame that others are to hear of, through another server.
    private func publishedType(
        _ frame: JSON, _ type: String, _ socket: WebSocketTestClient, _ caller: AuthorizationPage.Caller
    ) async throws -> String {
        let listening = try await stack.readySocket(roomID, as: listener(to: caller), server: 1)
        defer { listening.drop() }
        let userID = JSON.integer(try people[caller].userID)
        try await socket.send(frame)
        try await listening.event(type) { $0["eventType"]?.string == type && $0["userId"] == userID }
        return type
    }

    private func listener(to caller: AuthorizationPage.Caller) throws -> TestUser {
        try people[caller == .owner ? .sender : .owner]
    }

    /// An accepted token has no response. Tokens are verified one by one: when another user's after it has been
    /// refused, so has this one, or it was taken.
    private func renewal(with token: String, _ socket: WebSocketTestClient) async throws -> String {
        let othersToken = try people[.stranger].token ?? ""
        for token in [token, othersToken] { try await socket.send(["type": "auth", "token": .string(token)]) }
        try await socket.event("wrong_user") { $0["code"] == "wrong_user" }
        try await socket.send(["type": "ping"])
        try await socket.event(type: "pong")
        let code = socket.events.first { $0["eventType"] == "error" }?["code"]?.string
        return code == "wrong_user" && token != othersToken ? "taken" : code ?? "none"
    }

    /// Signed with the right key, and too late.
    private func expiredToken(of user: TestUser) async throws -> String {
        let signer = try await TokenSigner(
            keyFile: stack.processes.folder + "/data/signing-key.pem", lifetimeSeconds: -1)
        return try await signer.sign(userID: UserID(user.userID)).token
    }
}
