import ChatLocalStack

/// PostgreSQL goes away. Nothing can be posted meanwhile; what was acknowledged stays, and all goes on when it is back.
extension Fault {
    static let postgresFaults = [
        Fault(
            name: "postgres-killed", summary: "PostgreSQL is killed under load and started again 5 s later",
            bounds: .init(delay: .outage(plus: .seconds(3))),
            signs: [.postgresReconnects.required, .postsTroubled, .postsRetried], isInShortForm: true,
            inflict: { stage in
                try await stage.processes.postgres.kill()
                try await stage.last(.seconds(5))
            }, heal: { try await $0.processes.postgres.start() }),
        Fault(
            name: "postgres-paused", summary: "PostgreSQL is frozen (SIGSTOP) for 8 s",
            bounds: .init(delay: .outage(plus: .seconds(3))),
            signs: [.postsTroubled.required, .postsRetried],
            inflict: { stage in
                await stage.processes.postgres.pause()
                try await stage.last(.seconds(8))
            }, heal: { await $0.processes.postgres.resume() }),
        Fault(
            name: "postgres-connections-terminated",
            summary: "All sessions of PostgreSQL are ended by pg_terminate_backend, every second for 8 s",
            bounds: .init(delay: .fixed(.seconds(5))),
            signs: [.noted(terminated).required, .postsRefused, .postsRetried],
            inflict: { stage in
                for _ in 0..<8 {
                    let ended = try await stage.processes.postgres.run(
                        sql: """
                            SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) FROM pg_stat_activity
                            WHERE usename = current_user AND pid <> pg_backend_pid()
                            """)
                    stage.note(terminated, Int(ended.filter(\.isNumber)) ?? 0)
                    try await stage.last(.seconds(1))
                }
            }),
        Fault(
            name: "postgres-read-only",
            summary: "PostgreSQL takes no writes for 6 s, in open sessions and new ones, as a demoted primary",
            bounds: .init(delay: .outage(plus: .seconds(3))),
            signs: [
                .postgresReconnects.required, .postsTroubled.required, .noted(notReady).required, .postsRetried,
            ], isInShortForm: true,
            inflict: { stage in
                try await stage.processes.postgres.setReadOnly(true)
                try await stage.last(.seconds(4))
                try await noteNotReady(stage)
                try await stage.last(.seconds(2))
            }, heal: { try await $0.processes.postgres.setReadOnly(false) }),
        Fault(
            name: "postgres-failover",
            summary: "The primary is killed and its synchronous standby promoted; all servers know both",
            hasStandby: true, bounds: .init(delay: .outage(plus: .seconds(5))),
            signs: [.postgresReconnects.required, .postsTroubled, .postsRetried],
            inflict: { stage in
                try await stage.stack.failOver()
                try await stage.last(.seconds(4))
            }),
        Fault(
            name: "disk-full", summary: "PostgreSQL's disk is full for 6 s", hasSmallDisk: true,
            bounds: .init(delay: .outage(plus: .seconds(5))),
            signs: [.postsRefused.required, .noted(notReady).required, .postsRetried],
            inflict: { stage in
                try stage.stack.disk?.fill()
                try await stage.last(.seconds(4))
                try await noteNotReady(stage)
                try await stage.last(.seconds(2))
            },
            heal: { stage in
                try stage.stack.disk?.free()
                // Where there was no room for its write-ahead log, PostgreSQL has ended.
                if await stage.processes.postgres.running?.isRunning != true {
                    try await stage.processes.postgres.start()
                }
            }),
    ]

    private static func noteNotReady(_ stage: FaultStage) async throws {
        for server in stage.processes.messageServers
        where try await stage.stack.probe(server, "/health/ready").status == 503 {
            stage.note(notReady)
        }
    }

    private static let notReady = "message servers not ready"
    private static let terminated = "sessions of PostgreSQL ended"
}
