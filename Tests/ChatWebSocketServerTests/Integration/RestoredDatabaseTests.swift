import ChatLocalStack
import ChatTestSupport
import Testing

/// A database that is restored from a backup while servers run on it.
@Suite(.timeLimit(.minutes(2))) struct RestoredDatabaseTests {
    /// A database of its own, with a message and a WebSocket server on it.
    private struct Scene {
        let stack: SharedStack
        let database: String
        let messages: RESTClient
        let port: Int
        let user: TestUser

        var postgres: LocalPostgres { stack.processes.postgres }

        /// Posts a text, as often as it takes: a post that is refused with 503 is not stored here.
        func post(_ text: String, in roomID: String) async throws -> JSON {
            let deadline = ContinuousClock.now + .seconds(30)
            while true {
                let answer = try await messages.post(
                    "/api/v1/messages", SharedStack.post(text, in: roomID, key: text), as: user.credentials)
                if answer.status == 201 { return answer.json }
                try #require(answer.status == 503 && ContinuousClock.now < deadline, "\(answer)")
                try await Task.sleep(for: .milliseconds(50))
            }
        }

        func log(of roomID: String) async throws -> [JSON] {
            try await messages.get("/api/v1/rooms/\(roomID)/events?limit=100", as: user.credentials)
                .require(200, "events").json["items"]?.array ?? []
        }

        /// Copies the database at rest, which ends all connections to it.
        func backUp() async throws {
            try await endSessions()
            try await postgres.run(sql: #"CREATE DATABASE "\#(database)_backup" TEMPLATE "\#(database)""#)
            try await postgres.run(sql: #"ALTER DATABASE "\#(database)" ALLOW_CONNECTIONS true"#)
        }

        /// Puts the copy in the place of the database.
        func restore() async throws {
            try await endSessions()
            try await postgres.run(sql: #"DROP DATABASE "\#(database)""#)
            try await postgres.run(sql: #"ALTER DATABASE "\#(database)_backup" RENAME TO "\#(database)""#)
        }

        /// Ends the sessions of clients, and lets none begin. Those of autovacuum belong to a superuser, so `WITH (FORCE)` would
        /// fail; they give way to what is done to the database.
        private func endSessions() async throws {
            try await postgres.run(sql: #"ALTER DATABASE "\#(database)" ALLOW_CONNECTIONS false"#)
            let sessions = "FROM pg_stat_activity WHERE datname = '\(database)' AND backend_type = 'client backend'"
            // They may take a moment to go, and one that was just being connected comes only now.
            let deadline = ContinuousClock.now + .seconds(30)
            while try await postgres.run(sql: "SELECT count(pg_terminate_backend(pid)) \(sessions)") != "0" {
                try #require(ContinuousClock.now < deadline, "sessions of the database do not end")
                try await Task.sleep(for: .milliseconds(20))
            }
        }

        func socket(_ roomID: String, lastSeq: Int64? = nil, lastMark: String? = nil) async throws
            -> WebSocketTestClient
        {
            try await stack.readySocket(roomID, as: user, lastSeq: lastSeq, lastMark: lastMark, port: port)
        }
    }

    private static func withScene(_ body: (Scene) async throws -> Void) async throws {
        let stack = try await SharedStack.running(.trusted)
        let database = Unique.name("restored").replacing("-", with: "_")
        let url = try await stack.processes.postgres.createDatabase(named: database)
        let environment = ["CHAT_DATABASE_URL": url]
        try await stack.withServer(.message, environment) { messageServer async throws in
            try await stack.withServer(.webSocket, environment) { webSocketServer async throws in
                try await body(
                    Scene(
                        stack: stack, database: database, messages: RESTClient(baseURL: messageServer.url),
                        port: webSocketServer.port, user: try await stack.user()))
            }
        }
    }

    @Test func `after a restore sessions that got more are closed, others go on, and the new log is delivered`()
        async throws
    {
        try await Self.withScene { scene async throws in
            let (busy, quiet) = (Unique.name("busy"), Unique.name("quiet"))
            let sockets = (busy: try await scene.socket(busy), quiet: try await scene.socket(quiet))
            for number in 1...3 { _ = try await scene.post("\(number)", in: busy) }
            _ = try await scene.post("quiet 1", in: quiet)
            try await sockets.busy.log(upTo: 3)
            try await sockets.quiet.log(upTo: 1)

            // Every connection breaks, and the log stays the same: nobody is closed, all goes on.
            try await scene.backUp()
            for number in 4...6 { _ = try await scene.post("\(number)", in: busy) }
            let old = try await sockets.busy.log(upTo: 6)
            #expect(old == (try await scene.log(of: busy)))

            try await scene.restore()
            for number in 4...9 { _ = try await scene.post("another \(number)", in: busy) }
            _ = try await scene.post("quiet 2", in: quiet)
            #expect(try await sockets.busy.closeFrame(within: .seconds(10)).code == 4409)
            #expect(sockets.busy.events.filter { $0["eventType"] == "message" } == old)
            let new = try await scene.log(of: busy)
            #expect(new.count == 9)
            #expect(Array(new.prefix(3)) == Array(old.prefix(3)))
            let marks = Set(new.dropFirst(3).map { $0["mark"] })
            #expect(old.allSatisfy { !marks.contains($0["mark"]) })

            // The quiet room's log is the same up to what was sent of it.
            #expect(try await sockets.quiet.log(upTo: 2) == scene.log(of: quiet))

            let stale = try await scene.stack.socket(
                busy, as: scene.user, lastSeq: 6, lastMark: old[5]["mark"]?.string, port: scene.port)
            #expect(try await stale.closeFrame().code == 4409)
            let returning = try await scene.socket(busy, lastSeq: 3, lastMark: old[2]["mark"]?.string)
            #expect(try await returning.log(upTo: 9) == Array(new.dropFirst(3)))
            _ = try await scene.post("10", in: busy)
            #expect(try await returning.log(upTo: 10).last?["mark"] == scene.log(of: busy).last?["mark"])
        }
    }
}
