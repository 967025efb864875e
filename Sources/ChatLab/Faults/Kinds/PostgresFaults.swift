import ChatLocalStack
import NIOCore

/// PostgreSQL is not available. Nothing can be posted meanwhile; acknowledged messages are kept, and all goes on when it is
/// back.
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
                try await stage.noteReadiness(notReady) { $0.status == 503 }
                try await stage.last(.seconds(2))
            }, heal: { try await $0.processes.postgres.setReadOnly(false) }),
        Fault(
            name: "postgres-failover",
            summary: "The primary is killed and its synchronous standby promoted; all servers know both",
            standby: .synchronous, bounds: .init(delay: .outage(plus: .seconds(5))),
            signs: [.postgresReconnects.required, .postsTroubled, .postsRetried],
            inflict: { stage in
                try await stage.stack.failOver()
                try await stage.last(.seconds(4))
            }),
        asynchronousFailover, setBack,
        Fault(
            name: "disk-full", summary: "PostgreSQL's disk is full for 6 s", hasSmallDisk: true,
            bounds: .init(delay: .outage(plus: .seconds(5))),
            signs: [.postsRefused.required, .noted(notReady).required, .postsRetried],
            inflict: { stage in
                try stage.stack.disk?.fill()
                try await stage.last(.seconds(4))
                try await stage.noteReadiness(notReady) { $0.status == 503 }
                try await stage.last(.seconds(2))
            },
            heal: { stage in
                try stage.stack.disk?.free()
                // If there was no room for its write-ahead log, PostgreSQL has ended.
                if await stage.processes.postgres.running?.isRunning != true {
                    try await stage.processes.postgres.start()
                }
            }),
    ]

    // Posting pauses from just before the failover until every session knows of it: a log that has grown beyond a session's
    // position by then cannot be distinguished from the one that the session knows.
    private static let asynchronousFailover = Fault(
        name: "postgres-failover-asynchronous",
        summary: "The primary is killed and a standby promoted that lacks the commits of the last 2 s",
        // The answers to edits and joins have no `seq` by which it could be decided whether PostgreSQL lost them.
        shape: LoadShape(changeEvery: 0, churners: 0, libraryClients: 1),
        standby: .asynchronous, bounds: .init(delay: .outage(plus: .seconds(5))),
        signs: [
            .noted(lostByPostgres).required, .closed(with: History.lostLogCode).required, .postgresReconnects.required,
        ],
        inflict: { stage in
            try await stage.stack.detachStandby()
            let lagBegan = NIODeadline.now().uptimeNanoseconds
            try await stage.last(.seconds(2))
            try await stage.pausePosting()
            // A server may hold back a `read` for a second. One of the lost log must not come after the failover.
            try await stage.last(.milliseconds(1500))
            try await stage.load.expectLogLoss()
            // These sessions reconnect with a position beyond the head; the others are closed by their server.
            try await stage.load.cutSessions(10)
            let lostHeads = try await stage.heads()
            try await stage.stack.failOver()
            try await stage.stack.waitUntilReady(within: .seconds(30))

            let heads = try await stage.heads()
            let loss = History.LogLoss(heads: heads, lagBegan: lagBegan, at: NIODeadline.now().uptimeNanoseconds)
            _ = try await stage.load.noteLogLoss(loss)
            stage.libraryClients.noteLogLoss(.init(kept: heads, lost: lostHeads))
            stage.note(uninformed, try await stage.load.waitUntilInformed(within: .seconds(20)))
            let counts = try await stage.load.acknowledged(between: lagBegan, and: loss.at)
            stage.note(acknowledgedWhileLagging, counts.all)
            stage.note(lostByPostgres, counts.lost)
            try await stage.resumePosting()
        },
        examine: { history, stage in
            let all = stage.notes[acknowledgedWhileLagging] ?? 0
            let lost = HistoryCheck(history).lostByPostgres
            let uninformed = stage.notes[uninformed] ?? 0
            return [
                Measure(text: "of \(all) acknowledged while the standby lagged", isWithinBound: lost > 0),
                Measure(text: "\(uninformed) sessions not informed within 20 s", isWithinBound: uninformed == 0),
            ]
        })

    private static let lostByPostgres = "acknowledged and lost by PostgreSQL"
    private static let acknowledgedWhileLagging = "acknowledged while the standby lagged"
    private static let uninformed = "sessions not informed of the lost log"

    private static let notReady = "message servers not ready"
    private static let terminated = "sessions of PostgreSQL ended"
}
