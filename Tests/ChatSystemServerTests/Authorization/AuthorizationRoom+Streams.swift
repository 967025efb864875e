import ChatTestSupport

extension AuthorizationRoom {
    /// Opens an event stream as the caller and waits for something on it; a removed member has its stream from before.
    /// - Returns: what came, the status of a refusal, or the code with which the stream was closed.
    func streamOutcome(of action: RoomAction, by caller: AuthorizationPage.Caller) async throws -> String {
        if caller == .removed, action == .receiveStream, let removedStream {
            let code = try await removedStream.closeEvent()["code"]?.int ?? 0
            let heard = removedStream.messages.contains { $0["eventType"] == "message" }
            return heard ? "message" : "\(code)"
        }
        let token: String? = if case .token(let token) = try people.credentials(of: caller) { token } else { nil }
        let stream = try await EventStreamTestClient.connect(
            port: stack.webSocketPort(), "/sse/chat?roomId=\(roomID)" + (action == .resumeStream ? "&lastSeq=0" : ""),
            headers: token.map { [("Authorization", "Bearer \($0)")] } ?? [])
        defer { stream.drop() }
        guard stream.response.status == 200 else { return "\(stream.response.status)" }
        try await stream.event(type: "ready")
        switch action {
        case .resumeStream:
            try await stream.event(type: "caught_up")
            return stream.messages.contains { $0["eventType"] == "message" } ? "events" : "nothing"
        case .receiveStream:
            let sender = try people[caller == .owner ? .sender : .owner]
            let seq = try await stack.say("Listen", in: roomID, as: sender)["seq"]
            try await stream.event("the post") { $0["seq"] == seq && $0["eventType"] == "message" }
            return "message"
        default: return "ready"
        }
    }
}
