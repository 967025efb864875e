import ChatLocalStack

/// Redis is not available, or looks healthy and is not. Posting must not be affected, and delivery only a little.
extension Fault {
    static let redisFaults = [
        Fault(
            name: "redis-killed", summary: "Redis is killed and stays away for 6 s",
            bounds: .init(delay: .fixed(.seconds(2)), refused: 0),
            signs: [.publishFailures.required, .eventsFromLog.required], isInShortForm: true,
            inflict: { stage in
                try await stage.processes.redis.kill()
                try await stage.last(.seconds(6))
            }, heal: { try await $0.processes.redis.start() }),
        Fault(
            name: "redis-restarted", summary: "Redis is stopped in good order and started at once, three times",
            bounds: .init(delay: .fixed(.seconds(2)), refused: 0),
            signs: [.noted("restarts").required, .publishFailures, .eventsFromLog],
            inflict: { stage in
                for _ in 0..<3 {
                    try await stage.processes.redis.restart()
                    stage.note("restarts")
                    try await stage.last(.seconds(2))
                }
            }),
        Fault(
            name: "redis-paused", summary: "Redis is frozen (SIGSTOP) for 12 s",
            bounds: .init(delay: .fixed(.seconds(10)), refused: 0),
            signs: [.publishFailures.required, .eventsFromLog.required],
            inflict: { stage in
                await stage.processes.redis.pause()
                try await stage.last(.seconds(12))
            }, heal: { await $0.processes.redis.resume() }),
        Fault(
            name: "redis-link-cut", summary: "All connections to Redis are cut, and refused for 6 s",
            bounds: .init(delay: .fixed(.seconds(2)), refused: 0),
            signs: [.linksCut.required, .linksRefused.required, .publishFailures, .eventsFromLog.required],
            inflict: { stage in
                try await stage.stack.setRedisLinks(.cut)
                try await stage.last(.seconds(6))
            }, heal: { try await $0.stack.setRedisLinks(.pass) }),
        Fault(
            name: "redis-black-holed", summary: "Connections to Redis stay open and carry nothing for 12 s",
            bounds: .init(delay: .fixed(.seconds(10)), refused: 0),
            signs: [.linksHeld.required, .publishFailures, .eventsFromLog.required],
            inflict: { stage in
                try await stage.stack.setRedisLinks(.blackHole)
                try await stage.last(.seconds(12))
            }, heal: { try await $0.stack.setRedisLinks(.pass) }),
        Fault(
            name: "redis-publish-refused",
            summary: "Redis refuses what message servers publish (ACL) for 10 s; all connections are up",
            bounds: .init(delay: .fixed(.seconds(5)), refused: 0),
            signs: [
                .publishFailures.required, .eventsFromLog.required, .noted("message servers degraded").required,
            ], isInShortForm: true,
            inflict: { stage in
                try await stage.processes.redis.run("ACL SETUSER \(FaultStack.publisher) -publish")
                try await stage.last(.seconds(9))
                try await stage.noteReadiness("message servers degraded") { $0.body.contains(#""degraded""#) }
                try await stage.last(.seconds(1))
            }, heal: { try await $0.processes.redis.run("ACL SETUSER \(FaultStack.publisher) +publish") }),
        pushesDropped(percent: 5, isInShortForm: true),
        pushesDropped(percent: 100),
    ]

    private static func pushesDropped(percent: Int, isInShortForm: Bool = false) -> Fault {
        Fault(
            name: "pushes-dropped-\(percent)", summary: "\(percent) % of what Redis pushes is lost for 10 s",
            bounds: .init(delay: .fixed(.seconds(5)), refused: 0),
            signs: [.pushesDropped.required, .eventsFromLog.required], isInShortForm: isInShortForm,
            inflict: { stage in
                try await stage.stack.redisOfWebSocketServers.set(.dropPushes(percent: percent))
                try await stage.last(.seconds(10))
            }, heal: { try await $0.stack.redisOfWebSocketServers.set(.pass) })
    }
}
