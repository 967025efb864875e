import Foundation
import Testing

@testable import PostgresClient

/// Requests that share connections: results, errors, and who gets to see them.
@Suite(.timeLimit(.minutes(2))) struct QueryTests {
    @Test func `a thousand concurrent queries share two connections`() async throws {
        try await withClient { client in
            let sum = try await withThrowingTaskGroup(of: Int.self) { group in
                for number in 1...1000 {
                    group.addTask {
                        try await client.query("SELECT $1::int8 * 2", .int8(number))[0].decode(Int.self) - number
                    }
                }
                return try await group.reduce(0, +)
            }
            #expect(sum == 500_500)
            // One may have answered all before the other was connected.
            try await eventually("both serve") { try await client.backends().count == 2 }
        }
    }

    @Test func `a statement is prepared once and for its types`() async throws {
        try await withClient({ $0.maximumConnections = 1 }) { client in
            let statement: PostgresStatement = "SELECT $1"
            for number in 1...3 { _ = try await client.query(statement, .int8(number)) }
            let text = try await client.query(statement, .text("x"))[0].decode(String.self)
            #expect(text == "x")
            let prepared = "SELECT count(*) FROM pg_prepared_statements WHERE statement = 'SELECT $1'"
            #expect(try await client.number(prepared) == 2)
        }
    }

    @Test func `beyond its capacity the cache runs statements without a name`() async throws {
        try await withClient({
            $0.maximumConnections = 1
            $0.maximumPreparedStatements = 2
        }) { client in
            for number in 1...5 {
                let answer = try await client.number("SELECT \(number)")
                #expect(answer == number)
            }
            #expect(try await client.number("SELECT count(*) FROM pg_prepared_statements") == 2)
        }
    }

    @Test func `an error in a pipeline affects its own request only`() async throws {
        try await withClient({ $0.maximumConnections = 1 }) { client in
            try await withThrowingTaskGroup(of: Bool.self) { group in
                for number in 0..<200 {
                    group.addTask {
                        // The same texts again and again: some share the name that another one fails to prepare.
                        do {
                            switch number % 4 {
                            case 0: _ = try await client.query("SELEC")
                            case 1: _ = try await client.query("SELECT 1 / $1::int8", .int8(0))
                            case 2:
                                _ = try await client.batch([
                                    PostgresCommand("SELECT nothing"), PostgresCommand("SELECT 1 + $1::int8", .int8(1)),
                                ])
                            default:
                                let rows = try await client.query("SELECT 1 + $1::int8", .int8(number))
                                return try rows[0].decode(Int.self) == number + 1
                            }
                            return false
                        } catch let error as PostgresError {
                            let expected = ["42601", "22012", "42703", nil][number % 4]
                            return error.sqlState?.rawValue == expected && !error.isOutcomeUnknown
                        }
                    }
                }
                for try await isAsExpected in group { #expect(isAsExpected) }
            }
            #expect(try await client.backends().count == 1)
        }
    }

    @Test func `a stale plan is prepared again`() async throws {
        try await withClient({ $0.maximumConnections = 1 }) { client in
            try await client.script("CREATE TABLE plan_test (a int8)")
            let statement: PostgresStatement = "SELECT * FROM plan_test"
            _ = try await client.query(statement)
            _ = try await client.query("ALTER TABLE plan_test ADD COLUMN b int8")
            await #expect(throws: PostgresError.self) { try await client.query(statement) }
            #expect(try await client.query(statement).isEmpty)
        }
    }

    @Test func `a lane uses one connection though another is idle`() async throws {
        try await withClient { client in
            // Two connections, both idle.
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 1...2 { group.addTask { _ = try await client.query("SELECT pg_sleep(0.05)") } }
                try await group.waitForAll()
            }
            let lane = PostgresLane()
            let (answers, continuation) = AsyncStream.makeStream(of: Result<[PostgresRows], PostgresError>.self)
            for number in 1...20 {
                let command = PostgresCommand("SELECT $1::int8, pg_backend_pid(), pg_sleep(0.001)", .int8(number))
                client.batch([command], in: lane) { continuation.yield($0) }
            }
            var numbers: [Int] = []
            var backends: Set<Int> = []
            for await answer in answers {
                let row = try answer.get()[0][0]
                numbers.append(try row.decode(column: 0, as: Int.self))
                backends.insert(try row.decode(column: 1, as: Int.self))
                if numbers.count == 20 { break }
            }
            #expect(numbers == Array(1...20))
            #expect(backends.count == 1)
        }
    }

    @Test func `closures for after sending run at the end of the turn`() async throws {
        try await withClient { client in
            _ = try await client.query("SELECT 1")
            let (steps, continuation) = AsyncStream.makeStream(of: String.self)
            var seen: [String] = []
            // Without it the answer could come before the next turn.
            try await withLock(9) { unlock in
                client.execute {
                    client.afterSending {
                        continuation.yield("after sending")
                        // Its own thread goes on, and with it what was sent.
                        client.execute { continuation.yield("next turn") }
                    }
                    client.execute { continuation.yield("same turn") }
                    continuation.yield("first")
                    client.batch([PostgresCommand("SELECT pg_advisory_xact_lock(9)")], in: PostgresLane()) { _ in
                        continuation.yield("answer")
                        client.afterSending { continuation.finish() }
                    }
                }
                for await step in steps {
                    seen.append(step)
                    if step == "next turn" { try await unlock() }
                }
            }
            #expect(seen == ["first", "same turn", "after sending", "next turn", "answer"])
        }
    }

    @Test func `a closed client answers its lanes`() async throws {
        try await withClient { client in
            await client.close()
            let answer = await withCheckedContinuation { continuation in
                client.batch([PostgresCommand("SELECT 1")], in: PostgresLane()) { continuation.resume(returning: $0) }
            }
            #expect(throws: PostgresError.closed) { try answer.get() }
        }
    }

    @Test func `a batch is all or nothing`() async throws {
        try await withClient { client in
            try await client.script("CREATE TABLE batch_test (id int8 PRIMARY KEY)")
            let insert: PostgresStatement = "INSERT INTO batch_test VALUES ($1)"
            let good = try await client.batch((1...3).map { PostgresCommand(insert, .int8($0)) })
            #expect(good.map(\.affectedRows) == [1, 1, 1])
            let error = await #expect(throws: PostgresError.self) {
                try await client.batch([4, 1, 5].map { PostgresCommand(insert, .int8($0)) })
            }
            #expect(error?.sqlState == .uniqueViolation)
            #expect(error?.serverError?.constraint == "batch_test_pkey")
            #expect(error?.serverError?.table == "batch_test")
            #expect(error?.isOutcomeUnknown == false && error?.isTransient == false)
            #expect(try await client.number("SELECT count(*) FROM batch_test") == 3)
            #expect(try await client.batch([]).isEmpty)
        }
    }

    @Test func `a commit that fails is not reported as success`() async throws {
        try await withClient({ $0.maximumConnections = 1 }) { client in
            try await client.script(
                "CREATE TABLE deferred_test (id int8 CONSTRAINT once UNIQUE DEFERRABLE INITIALLY DEFERRED)")
            let insert: PostgresStatement = "INSERT INTO deferred_test VALUES ($1)"
            let error = await #expect(throws: PostgresError.self) {
                try await client.batch([PostgresCommand(insert, .int8(1)), PostgresCommand(insert, .int8(1))])
            }
            #expect(error?.serverError?.constraint == "once")
            #expect(try await client.number("SELECT count(*) FROM deferred_test") == 0)
            let inTransaction = await #expect(throws: PostgresError.self) {
                try await client.withTransaction { transaction in
                    _ = try await transaction.query(insert, .int8(1))
                    _ = try await transaction.query(insert, .int8(1))
                }
            }
            #expect(inTransaction?.sqlState == .uniqueViolation)
            #expect(try await client.backends().count == 1)
        }
    }

    @Test func `copy is refused and the connection replaced`() async throws {
        try await withClient({ $0.maximumConnections = 1 }) { client in
            let error = await #expect(throws: PostgresError.self) {
                try await client.query("COPY (SELECT 1) TO STDOUT")
            }
            guard case .unsupported = error else {
                Issue.record("unexpected \(String(describing: error))")
                return
            }
            let answer = try await client.number("SELECT 1")
            #expect(answer == 1)
        }
    }

    @Test func `large values pass both ways`() async throws {
        let text = String(repeating: "0123456789abcdef", count: 200_000)
        try await withClient { client in
            try await withThrowingTaskGroup(of: Bool.self) { group in
                for _ in 0..<8 {
                    group.addTask {
                        try await client.query("SELECT $1::text", .text(text))[0].decode(String.self) == text
                    }
                }
                for try await isSame in group { #expect(isSame) }
            }
        }
    }

    @Test func `sessions use UTC and UTF8`() async throws {
        try await withClient { client in
            let settings = try await client.query(
                "SELECT current_setting('TimeZone'), current_setting('client_encoding'), current_setting('statement_timeout')"
            )[0].decode(String.self, String.self, String.self)
            // Half a second less than the fixture's query timeout, so that the server gives up first.
            #expect(settings == ("UTC", "UTF8", "59500ms"))
            let own = try await client.query("SELECT current_setting('statement_timeout')", timeout: .seconds(20))
            #expect(try own[0].decode(String.self) == "19500ms")
        }
    }
}
