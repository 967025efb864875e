import ChatLocalStack

/// A count that proves that a fault took effect.
struct Sign: Sendable {
    var label: String
    var isRequired: Bool
    var count: @Sendable (FaultEvidence) -> Int

    /// The same count, which must not be zero.
    var required: Sign {
        var sign = self
        sign.isRequired = true
        return sign
    }

    private init(_ label: String, _ count: @escaping @Sendable (FaultEvidence) -> Int) {
        self.label = label
        isRequired = false
        self.count = count
    }

    static let pushesDropped = Sign("pushes dropped") { $0.redisOfWebSocketServers.pushesDropped }
    static let linksCut = Sign("links cut") { $0.redisOfMessageServers.cut + $0.redisOfWebSocketServers.cut }
    static let linksRefused = Sign("links refused") {
        $0.redisOfMessageServers.refused + $0.redisOfWebSocketServers.refused
    }
    static let linksHeld = Sign("links black-holed") {
        $0.redisOfMessageServers.held + $0.redisOfWebSocketServers.held
    }
    static let publishFailures = Sign("publications failed") { $0.publishFailures }
    static let eventsFromLog = Sign("events read from the log") { $0.eventsFromLog }
    static let postgresReconnects = Sign("reconnects to PostgreSQL") { $0.postgresReconnects }
    static let postsRefused = Sign("posts refused") { $0.clients.refused }
    static let postsUnanswered = Sign("posts unanswered") { $0.clients.unanswered }
    static let postsRetried = Sign("retried") { $0.clients.retries }
    static let postsTroubled = Sign("posts refused or unanswered") { $0.clients.refused + $0.clients.unanswered }
    static let uploadsUnanswered = Sign("uploads unanswered") { $0.clients.uploadsUnanswered }
    static let uploadsRefused = Sign("uploads refused") { $0.clients.uploadsRefused }
    static let socketsClosed = Sign("sockets closed") { $0.clients.closed }
    static let framesReplayed = Sign("frames replayed") { $0.clients.replayed }

    static let logsReset = Sign("logs reset at user sockets") { $0.clients.resets }

    /// What the fault counted itself by ``FaultStage/note(_:_:)``.
    static func noted(_ label: String) -> Sign { Sign(label) { $0.notes[label] ?? 0 } }

    /// Sockets closed with this code.
    static func closed(with code: Int) -> Sign {
        Sign("sockets closed with \(code)") { $0.clients.closes[String(code)] ?? 0 }
    }
}

/// Everything that was counted in a run.
struct FaultEvidence: Sendable {
    var clients = ClientEvidence()
    var redisOfMessageServers = FaultProxy.Counts()
    var redisOfWebSocketServers = FaultProxy.Counts()
    /// `chat_events_publish_failures_total` of the message servers that run at the end.
    var publishFailures = 0
    /// `chat_events_received_total{from="log"}` of the WebSocket servers that run at the end.
    var eventsFromLog = 0
    /// `chat_postgres_reconnects_total` of the servers that run at the end.
    var postgresReconnects = 0
    var notes: [String: Int] = [:]
}
