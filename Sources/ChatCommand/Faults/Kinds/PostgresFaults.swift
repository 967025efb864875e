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
    ]

    private static let terminated = "sessions of PostgreSQL ended"
}
