import ChatEvents
import CommonAuth
import CommonServer
import CommonUtil
import HummingbirdCore

/// The event streams: sessions as those of sockets, for clients that WebSockets do not reach. A client that is refused gets a
/// problem response, before the stream begins.
struct EventStreamRoutes: Sendable {
    /// The path of a room's stream.
    static let roomPath = "/sse/chat"
    /// The path of a stream of all rooms of a user.
    static let userPath = "/sse/user"

    let services: WebSocketServices

    /// Adds the routes.
    func add(to routes: inout Routes) {
        for path in [Self.roomPath, Self.userPath] {
            routes.streaming(path, contentType: EventStreamFrame.contentType) { call, decide in
                open(call, isOfUser: path == Self.userPath, decide)
            }
        }
    }

    private func open(_ call: StreamCall, isOfUser: Bool, _ decide: @escaping (StreamDecision) -> Void) {
        var client = ClientRequest(call.head, URI(call.head.target), isOfUser: isOfUser)
        do throws(ChatError) {
            try Authenticator.checkOnBehalf(call.head["x-on-behalf-of"], authorization: call.head["authorization"])
            try client.resume(after: call.head["last-event-id"])
        } catch {
            return decide(.refuse(error))
        }
        let (hasToken, cursor) = (client.token != nil, client.cursor)
        services.admit(client, on: call.channel) { result in
            switch result {
            case .success(let admission):
                decide(.begin { EventStreamConnection($0, admission: admission, cursor: cursor, services: services) })
            case .failure(let reason):
                decide(.refuse(reason.refusal(hasToken: hasToken)))
            }
        }
    }
}

extension ClientRequest {
    private static let cursorName = "cursor"

    /// The cursor at which the stream of a user goes on; `nil` for one that begins.
    var cursor: String? {
        query.last { $0.key == Self.cursorName }.flatMap { $0.value.isEmpty ? nil : $0.value }
    }

    /// Takes the position of `Last-Event-ID` instead of the query's. `EventSource` sends it by itself when it connects again,
    /// with the query that it began with. An empty one is an absent one.
    /// - Throws: `validation_failed` for a text that is no id of a room's stream. That of a user's is a cursor, and one that
    ///   cannot be read is as one of another server.
    mutating func resume(after lastEventID: String?) throws(ChatError) {
        guard let lastEventID, !lastEventID.isEmpty else { return }
        guard !isOfUser else { return query.append((Self.cursorName, lastEventID)) }
        guard let id = EventStreamID(lastEventID) else {
            throw .invalid("Last-Event-ID", "must be \(EventStreamID.rule)")
        }
        query.removeAll { $0.key == ConnectRequest.lastSeqName || $0.key == ConnectRequest.lastMarkName }
        query.append((ConnectRequest.lastSeqName, String(id.seq)))
        if let mark = id.mark { query.append((ConnectRequest.lastMarkName, mark.description)) }
    }
}

extension CloseReason {
    /// Time after which a client that has too many sockets may try again, in seconds.
    private static let retryAfter = 5...15

    /// The error of 1007, whose reason begins with the name of the parameter.
    private var invalidParameter: ChatError {
        let parts = reason.split(separator: " ", maxSplits: 1).map(String.init)
        return parts.count == 2 ? .invalid(parts[0], parts[1]) : ChatError(.validationFailed, reason)
    }

    /// The same refusal over HTTP.
    /// - Parameter hasToken: whether the client sent an access token.
    func refusal(hasToken: Bool) -> ChatError {
        switch code {
        case .invalidData: invalidParameter
        case .unauthorized, .tokenExpired: ChatError(hasToken ? .invalidToken : .missingToken)
        case .notAMember: ChatError(.notAMember)
        case .noSuchRoom: ChatError(.roomNotFound)
        case .aheadOfLog: ChatError(.logMismatch, reason)
        case .tooMany: ChatError(.rateLimited, reason, retryAfterSeconds: .random(in: Self.retryAfter))
        case .normal, .goingAway, .protocolError, .unsupportedData, .abnormal, .policyViolation, .messageTooBig,
            .restart,
            .tryAgainLater:
            .unavailable(reason)
        }
    }
}
