import ChatLocalStack

/// A count that proves that a fault took effect.
struct EffectCount: Sendable {
    var label: String
    var isRequired: Bool
    var count: @Sendable (FaultEvidence) -> Int

    /// The same count, which must not be zero.
    var required: EffectCount {
        var sign = self
        sign.isRequired = true
        return sign
    }

    private init(_ label: String, _ count: @escaping @Sendable (FaultEvidence) -> Int) {
        self.label = label
        isRequired = false
        self.count = count
    }

    static let pushesDropped = EffectCount("pushes dropped") { $0.redisOfWebSocketServers.pushesDropped }
    static let linksCut = EffectCount("links cut") { $0.redisOfMessageServers.cut + $0.redisOfWebSocketServers.cut }
    static let linksRefused = EffectCount("links refused") {
        $0.redisOfMessageServers.refused + $0.redisOfWebSocketServers.refused
    }
    static let linksHeld = EffectCount("links black-holed") {
        $0.redisOfMessageServers.held + $0.redisOfWebSocketServers.held
    }
    static let publishFailures = EffectCount("publications failed") { $0.publishFailures }
    static let eventsFromLog = EffectCount("events read from the log") { $0.eventsFromLog }
    static let postgresReconnects = EffectCount("reconnects to PostgreSQL") { $0.postgresReconnects }
    static let postsRefused = EffectCount("posts refused") { $0.clients.refused }
    static let postsUnanswered = EffectCount("posts unanswered") { $0.clients.unanswered }
    static let postsRetried = EffectCount("retried") { $0.clients.retries }
    static let postsTroubled = EffectCount("posts refused or unanswered") { $0.clients.refused + $0.clients.unanswered }
    static let uploadsUnanswered = EffectCount("uploads unanswered") { $0.clients.uploadsUnanswered }
    static let uploadsRefused = EffectCount("uploads refused") { $0.clients.uploadsRefused }
    static let socketsClosed = EffectCount("sockets closed") { $0.clients.closed }
    static let framesReplayed = EffectCount("frames replayed") { $0.clients.replayed }

    static let logsReset = EffectCount("logs reset at user sockets") { $0.clients.resets }

    /// What the fault counted itself by ``FaultStage/note(_:_:)``.
    static func noted(_ label: String) -> EffectCount { EffectCount(label) { $0.notes[label] ?? 0 } }

    /// Sockets closed with this code.
    static func closed(with code: Int) -> EffectCount {
        EffectCount("sockets closed with \(code)") { $0.clients.closes[String(code)] ?? 0 }
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
