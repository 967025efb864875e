import Foundation
import Synchronization
import Testing

@testable import PostgresClient

/// Deadlines, cancellation, lost connections, and a server that goes and comes back.
@Suite(.timeLimit(.minutes(2))) struct FailureTests {
    // MARK: Deadlines and bounds

    @Test func `a deadline in the queue leaves no outcome unknown`() async throws {
        try await withClient({
            $0.maximumConnections = 1
            $0.maximumPipelineDepth = 1
        }) { client in
            try await client.withTransaction { _ in
                await #expect(throws: PostgresError.timedOut(outcomeUnknown: false)) {
                    try await client.query("SELECT 1", timeout: .milliseconds(30))
                }
                await #expect(throws: PostgresError.timedOut(outcomeUnknown: false)) {
                    try await client.withConnection(timeout: .milliseconds(30)) { _ in }
                }
            }
            #expect(try await client.number("SELECT 1") == 1)
        }
    }

    @Test func `a statement that the server ends has a known outcome, and its connection is kept`() async throws {
        try await withClient({ $0.maximumConnections = 1 }) { client in
            let before = try await client.backends()
            let running = Task { await failure { _ = try await client.query("SELECT pg_sleep(60)") } }
            try await blocks(client, by: "PgSleep")
            // The same to the client as `statement_timeout`, which would race with the client's own deadline.
            try await withClient { other in
                _ = try await other.query("SELECT pg_cancel_backend(pid) FROM unnest($1) AS pid", .int4Array(before))
            }
            let error = await running.value
            #expect(error?.sqlState == .queryCanceled)
            #expect(error?.isOutcomeUnknown == false)
            #expect(try await client.backends() == before)
        }
    }

    @Test func `a deadline of a sent request closes its connection and fails the requests on it`() async throws {
        try await withClient({ $0.maximumConnections = 1 }) { client in
            // A backend that is stopped cannot end the statement itself.
            let backend = try #require(try await client.backends().first)
            #expect(kill(backend, SIGSTOP) == 0)
            async let patient: PostgresError? = failure { _ = try await client.query("SELECT 1") }
            async let hasty: PostgresError? = failure {
                _ = try await client.query("SELECT 2", timeout: .seconds(2))
            }
            let errors = await [patient, hasty]
            kill(backend, SIGCONT)
            // The second may have timed out before the first one was even sent.
            #expect(errors[1] == .timedOut(outcomeUnknown: true))
            #expect(errors[0] == nil || errors[0] == .connectionLost(outcomeUnknown: true))
            #expect(try await client.number("SELECT 1") == 1)
            try await eventually("the old backend is gone") { try await client.backends().count == 1 }
        }
    }

    @Test func `requests beyond the queue are refused at once`() async throws {
        try await withClient({
            $0.maximumConnections = 1
            $0.maximumWaiters = 3
        }) { client in
            let refused = try await client.withTransaction { _ in
                await withTaskGroup(of: PostgresError?.self) { group in
                    for _ in 0..<10 {
                        group.addTask { await failure { _ = try await client.query("SELECT 1", timeout: .seconds(5)) } }
                    }
                    return await group.reduce(into: 0) { $0 += $1 == .tooManyWaiters ? 1 : 0 }
                }
            }
            #expect(refused == 7)
        }
    }

    // MARK: Cancellation

    @Test func `cancellation is prompt in the queue`() async throws {
        try await withClient({ $0.maximumConnections = 1 }) { client in
            try await client.withTransaction { _ in
                let waiting = Task { await failure { _ = try await client.query("SELECT 1") } }
                try await waits(1, client)
                waiting.cancel()
                #expect(await waiting.value == .cancelled(outcomeUnknown: false))
            }
            let before = Task {
                // Ends at once when it is cancelled.
                try? await Task.sleep(for: .seconds(10))
                return await failure { _ = try await client.query("SELECT 1") }
            }
            before.cancel()
            #expect(await before.value == .cancelled(outcomeUnknown: false))
        }
    }

    @Test func `cancellation of a sent request is prompt and keeps the connection in step`() async throws {
        try await withClient({ $0.maximumConnections = 1 }) { client in
            try await withLock(1) { unlock in
                let running = Task { await failure { _ = try await client.query("SELECT pg_advisory_lock(1)") } }
                try await blocks(client)
                running.cancel()
                #expect(await running.value == .cancelled(outcomeUnknown: true))
                try await unlock()
            }
            #expect(try await client.number("SELECT 7") == 7)
            #expect(try await client.backends().count == 1)
        }
    }

    @Test func `a cancelled transaction rolls back and returns its connection`() async throws {
        try await withClient({ $0.maximumConnections = 1 }) { client in
            try await client.script("CREATE TABLE cancel_test (id int8)")
            try await withLock(2) { unlock in
                let task = Task {
                    try await client.withTransaction { transaction in
                        _ = try await transaction.query("INSERT INTO cancel_test VALUES (1)")
                        _ = try await transaction.query("SELECT pg_advisory_xact_lock(2)")
                    }
                }
                try await blocks(client)
                task.cancel()
                await #expect(throws: PostgresError.cancelled(outcomeUnknown: true)) { try await task.value }
                try await unlock()
            }
            #expect(try await client.number("SELECT count(*) FROM cancel_test") == 0)
            #expect(try await client.backends().count == 1)
        }
    }

    // MARK: Lost connections

    @Test func `a terminated backend is replaced`() async throws {
        try await withClient({ $0.maximumConnections = 2 }) { client in
            let backends = try await client.backends()
            let running = Task { await failure { _ = try await client.query("SELECT pg_sleep(60)") } }
            try await blocks(client, by: "PgSleep")
            try await terminate(try await client.backends())
            let error = await running.value
            #expect(error?.sqlState == .adminShutdown)
            #expect(error?.isTransient == true && error?.isOutcomeUnknown == false)
            try await eventually("another backend serves") {
                let now = try? await client.backends()
                return now.map { !$0.isEmpty && Set($0).isDisjoint(with: backends) } == true
            }
            // What runs with the client idle: the client notices by its socket, not by the failure of the next request.
            try await terminate(try await client.backends())
            try await eventually("the client has noticed") { try await backendsElsewhere(client).isEmpty == false }
        }
    }

    @Test func `an idle connection that breaks is counted at once, and one that is closed is not`() async throws {
        try await withClient({ $0.maximumConnections = 2 }) { client in
            #expect(try await client.number("SELECT 1") == 1)
            try await client.withConnection { _ = try await $0.query("SELECT 1") }
            #expect(client.brokenConnections == 0)
            try await terminate(try await client.backends())
            try await eventually("the connection is counted") { client.brokenConnections > 0 }
            #expect(try await client.number("SELECT 1") == 1)
        }
    }

    @Test func `a transaction on a lost connection is not committed`() async throws {
        try await withClient { client in
            try await client.script("CREATE TABLE lost_test (id int8)")
            let error = await #expect(throws: PostgresError.self) {
                try await client.withTransaction { transaction in
                    _ = try await transaction.query("INSERT INTO lost_test VALUES (1)")
                    let backend = try await transaction.query("SELECT pg_backend_pid()")[0].decode(Int32.self)
                    try await terminate([backend])
                    _ = try await transaction.query("SELECT 1")
                }
            }
            #expect(error?.isTransient == true)
            #expect(try await client.number("SELECT count(*) FROM lost_test") == 0)
        }
    }

    @Test func `callers wait while the server is away`() async throws {
        let server = PostgresFixture.started()
        defer { server.remove() }
        try await withClient(to: server, { $0.queryTimeout = .seconds(30) }) { client in
            #expect(!client.isAvailable)
            try await client.ping(timeout: .seconds(20))
            #expect(client.isAvailable)
            server.stop()
            let waiting = Task {
                try await withThrowingTaskGroup(of: Int.self) { group in
                    for number in 1...20 {
                        group.addTask {
                            try await client.query("SELECT $1::int8", .int8(number))[0].decode(Int.self)
                        }
                    }
                    return try await group.reduce(0, +)
                }
            }
            try await waits(20, client)
            #expect(!client.isAvailable)
            let error = await failure { _ = try await client.query("SELECT 1", timeout: .milliseconds(200)) }
            guard case .connectFailed = error else {
                Issue.record("unexpected \(String(describing: error))")
                return
            }
            server.start()
            #expect(try await waiting.value == 210)
            #expect(client.isAvailable)
        }
    }

    // MARK: Configuration

    @Test func `a server without TLS is refused with a clear error where TLS is required`() async throws {
        let url = PostgresFixture.shared.url + "?sslmode=require"
        let client = PostgresClient(configuration: try PostgresConfiguration(url: url), logger: quiet)
        let error = await failure { try await client.ping(timeout: .seconds(10)) }
        guard case .connectFailed(let reason) = error else {
            Issue.record("unexpected \(String(describing: error))")
            return
        }
        #expect(reason.contains("SSL"))
        await client.close()
    }

    @Test func `names are resolved and all their addresses tried`() async throws {
        let url = "postgres://postgres@localhost:\(PostgresFixture.shared.port)/postgres"
        let client = PostgresClient(configuration: try PostgresConfiguration(url: url), logger: quiet)
        #expect(try await client.number("SELECT 1") == 1)
        await client.close()
    }

    @Test(arguments: [
        "", "http://localhost", "host=localhost password=sesame", "postgres://u:sesame@[::1/db",
        "postgres://u:sesame@h:99999/db", "postgres://u:sesame@h/db?wrong=1", "postgres://u:sesame%zz@h/db",
    ])
    func `a bad URL is refused without its password`(url: String) {
        let error = #expect(throws: PostgresError.self) { try PostgresConfiguration(url: url) }
        #expect(error.map { "\($0)".contains("sesame") } == false)
    }

    @Test func `a configuration never shows its password`() throws {
        let configuration = try PostgresConfiguration(
            url: "postgres://user:sesame@db.example:5433/chat?sslmode=require&connect_timeout=3")
        #expect(configuration.description == "postgres://user@db.example:5433/chat")
        #expect(configuration.connectTimeout == .seconds(3))
        var dumped = ""
        dump(configuration, to: &dumped)
        #expect(!(dumped + "\(configuration)" + String(reflecting: configuration)).contains("sesame"))
    }

    // MARK: The end

    @Test func `closing lets requests in progress finish and refuses new ones`() async throws {
        try await withClient { client in
            try await withLock(3) { unlock in
                let running = Task { try await client.number("SELECT 5 FROM pg_advisory_lock_shared(3)") }
                try await blocks(client)
                let service = Task { try await client.run() }
                service.cancel()
                await #expect(throws: PostgresError.closed) {
                    while true { try await client.ping() }
                }
                try await unlock()
                #expect(try await running.value == 5)
                try await service.value
            }
            try await eventually("its backends are gone") { try await backendsElsewhere(client).isEmpty }
        }
    }

    @Test func `a client without references closes its connections`() async throws {
        let name = "dropped-\(UUID().uuidString.prefix(8))"
        do {
            var configuration = try PostgresConfiguration(url: PostgresFixture.shared.url)
            configuration.applicationName = name
            let client = PostgresClient(configuration: configuration, logger: quiet)
            #expect(try await client.number("SELECT 1") == 1)
        }
        try await withClient { client in
            try await eventually("its backend is gone") {
                try await client.number(
                    "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1", .text(name)) == 0
            }
        }
    }

    // MARK: Watching

    private func failure(_ body: () async throws -> Void) async -> PostgresError? {
        do {
            try await body()
            return nil
        } catch {
            return error as? PostgresError
        }
    }

    /// Until so many requests of the client wait for a connection.
    private func waits(_ count: Int, _ client: PostgresClient) async throws {
        try await eventually("\(count) requests wait") { await client.pool.machine.counts.waiting == count }
    }

    /// Until one of the client's statements waits in the server.
    private func blocks(_ client: PostgresClient, by event: String = "advisory") async throws {
        try await withClient { watcher in
            try await eventually("the statement waits") {
                try await watcher.number(
                    "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1 AND wait_event = $2",
                    .text(client.configuration.applicationName), .text(event)) == 1
            }
        }
    }

    private func terminate(_ backends: [Int32]) async throws {
        try await withClient { other in
            _ = try await other.query("SELECT pg_terminate_backend(pid) FROM unnest($1) AS pid", .int4Array(backends))
        }
    }

    private func backendsElsewhere(_ client: PostgresClient) async throws -> [Int32] {
        var pids: [Int32] = []
        try await withClient { watcher in
            pids = try await watcher.query(
                "SELECT pid FROM pg_stat_activity WHERE application_name = $1",
                .text(client.configuration.applicationName)
            ).map { try $0.decode(Int32.self) }
        }
        return pids
    }
}
