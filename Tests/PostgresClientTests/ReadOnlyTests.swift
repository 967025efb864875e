import ChatLocalStack
import Foundation
import Synchronization
import Testing

@testable import PostgresClient

/// A server that takes no writes, one that has no room for them, and several servers in one URI.
@Suite(.timeLimit(.minutes(2))) struct ReadOnlyTests {
    private let insert: PostgresStatement = "INSERT INTO writes VALUES ($1)"

    /// A server of the test's own, which can be made read-only, and a client with one connection.
    private func withServer(_ body: (PostgresFixture, PostgresClient) async throws -> Void) async throws {
        let server = PostgresFixture.started()
        defer { server.remove() }
        try await withClient(
            to: server,
            {
                $0.maximumConnections = 1
                $0.writeProofLifetime = .zero
            }
        ) { client in try await body(server, client) }
    }

    @Test func `connections to a server that becomes read-only are closed`() async throws {
        try await withServer { server, client in
            try await client.script("CREATE TABLE writes (id int8)")
            try await client.checkWritable(timeout: .seconds(20))
            let backends = try await client.backends()

            try await server.setReadOnly(true)
            let error = await #expect(throws: PostgresError.self) { try await client.query(insert, .int8(1)) }
            #expect(error?.sqlState == .readOnlyTransaction)
            #expect(error?.isTransient == true && error?.isOutcomeUnknown == false)
            // No connection is made to it, either.
            let refused = await #expect(throws: PostgresError.self) {
                try await client.query(insert, .int8(2), timeout: .milliseconds(500))
            }
            #expect(refused?.isTransient == true, "\(String(describing: refused))")
            await #expect(throws: PostgresError.self) { try await client.checkWritable(timeout: .milliseconds(300)) }

            try await server.setReadOnly(false)
            _ = try await client.query(insert, .int8(3))
            try await client.checkWritable(timeout: .seconds(20))
            #expect(try await client.number("SELECT sum(id)::int8 FROM writes") == 3)
            #expect(try await Set(client.backends()).isDisjoint(with: backends))
        }
    }

    @Test func `readiness notices a read-only server and closes idle connections`() async throws {
        try await withServer { server, client in
            _ = try await client.query("SELECT 1")
            try await server.setReadOnly(true)
            let error = await #expect(throws: PostgresError.self) {
                try await client.checkWritable(timeout: .seconds(20))
            }
            #expect(error?.sqlState == .readOnlyTransaction)
            try await eventually("the connection is closed") { await !client.pool.machine.hasConnection }
            try await server.setReadOnly(false)
            try await client.checkWritable(timeout: .seconds(20))
        }
    }

    @Test func `the write proof is shared and rate-limited`() async throws {
        let proof = WritabilityCheck()
        let asked = Atomic(0)
        let ask: @Sendable () async -> WritabilityCheck.Outcome = {
            asked.add(1, ordering: .relaxed)
            await Task.yield()
            return .failure(.tooManyWaiters)
        }
        await withTaskGroup(of: WritabilityCheck.Outcome.self) { group in
            for _ in 0..<50 { group.addTask { await proof.outcome(lifetime: .seconds(3_600), of: ask) } }
            for await outcome in group {
                #expect(throws: PostgresError.tooManyWaiters) { try outcome.get() }
            }
        }
        let askedTogether = asked.load(ordering: .relaxed)
        #expect(askedTogether == 1)
        let brief = WritabilityCheck()
        for _ in 0..<3 { _ = await brief.outcome(lifetime: .zero, of: ask) }
        // A failure that is known is believed, whatever is refused meanwhile.
        proof.invalidate()
        _ = await proof.outcome(lifetime: .seconds(3_600), of: ask)
        let askedInTurn = asked.load(ordering: .relaxed)
        #expect(askedInTurn == 4)
    }

    @Test func `a refused write invalidates a proof`() async throws {
        let proof = WritabilityCheck()
        let asked = Atomic(0)
        let ask: @Sendable () async -> WritabilityCheck.Outcome = {
            asked.add(1, ordering: .relaxed)
            return .success(())
        }
        for _ in 0..<2 { try await proof.outcome(lifetime: .seconds(3_600), of: ask).get() }
        proof.invalidate()
        for _ in 0..<2 { try await proof.outcome(lifetime: .seconds(3_600), of: ask).get() }
        let count = asked.load(ordering: .relaxed)
        #expect(count == 2)
    }

    @Test func `after a full disk a write has to succeed`() async throws {
        try await withClient({
            $0.maximumConnections = 1
            $0.writeProofLifetime = .zero
            $0.writeProbe = [PostgresCommand("INSERT INTO room_probe SELECT raise_if_full()")]
        }) { client in
            try await client.script(
                """
                CREATE TABLE IF NOT EXISTS room_probe (id int8);
                CREATE TABLE IF NOT EXISTS room_is_full ();
                CREATE OR REPLACE FUNCTION raise_if_full() RETURNS int8 LANGUAGE plpgsql AS $$ BEGIN
                    IF to_regclass('room_is_full') IS NOT NULL THEN RAISE EXCEPTION 'full' USING ERRCODE = '53100'; END IF;
                    RETURN 1;
                END $$
                """)
            // Nobody was refused so far, so nothing is tried.
            try await client.checkWritable(timeout: .seconds(20))
            let backends = try await client.backends()
            let error = await #expect(throws: PostgresError.self) { try await client.query("SELECT raise_if_full()") }
            #expect(error?.sqlState == .diskFull && error?.isTransient == true)
            let refused = await #expect(throws: PostgresError.self) {
                try await client.checkWritable(timeout: .seconds(20))
            }
            #expect(refused?.sqlState == .diskFull)
            #expect(try await client.backends() == backends)
            try await client.script("DROP TABLE room_is_full")
            try await client.checkWritable(timeout: .seconds(20))
            #expect(try await client.number("SELECT count(*) FROM room_probe") == 0)
        }
    }

    // MARK: Several hosts

    private func number(_ url: String, _ configure: (inout PostgresConfiguration) -> Void = { _ in }) async throws
        -> Int
    {
        var configuration = try PostgresConfiguration(url: url)
        configuration.queryTimeout = .seconds(60)
        configure(&configuration)
        let client = PostgresClient(configuration: configuration, logger: quiet)
        let result = await Result { try await client.number("SELECT 7") }
        await client.close()
        return try result.get()
    }

    @Test func `a host that refuses or has no address is skipped`() async throws {
        let port = PostgresFixture.shared.port
        let closed = try FreePort.next()
        #expect(try await number("postgres://postgres@127.0.0.1:\(closed),127.0.0.1:\(port)/postgres") == 7)
        // Two dots in a row: no resolver asks anybody for it.
        #expect(try await number("postgres://postgres@no..such..host:1,127.0.0.1:\(port)/postgres") == 7)
        await #expect(throws: PostgresError.self) {
            try await number("postgres://postgres@no..such..host/postgres") { $0.queryTimeout = .milliseconds(300) }
        }
    }

    @Test func `a host that does not respond is skipped by the next attempt`() async throws {
        let silent = try SilentListener()
        let port = PostgresFixture.shared.port
        let url = "postgres://postgres@127.0.0.1:\(silent.port),127.0.0.1:\(port)/postgres"
        #expect(try await number(url) { $0.connectTimeout = .milliseconds(500) } == 7)
        #expect(silent.hasBeenCalled)
    }

    @Test func `a host that accepts and closes is skipped by the next attempt`() async throws {
        // As a proxy does whose server has gone.
        let proxy = try await FaultProxy.start(to: FreePort.next())
        let url = "postgres://postgres@127.0.0.1:\(proxy.port),127.0.0.1:\(PostgresFixture.shared.port)/postgres"
        #expect(try await number(url) == 7)
        try await proxy.stop()
    }

    @Test func `a read-only host is skipped`() async throws {
        let standby = PostgresFixture.started()
        defer { standby.remove() }
        try await standby.setReadOnly(true)
        let ports = [standby.port, PostgresFixture.shared.port]
        let url = "postgres://postgres@127.0.0.1:\(ports[0]),127.0.0.1:\(ports[1])/postgres"
        let client = PostgresClient(configuration: try PostgresConfiguration(url: url), logger: quiet)
        #expect(try await client.number("SELECT current_setting('port')::int8") == ports[1])
        await client.close()
        // Who asks for any server gets the first one.
        #expect(try await number(url + "?target_session_attrs=any") == 7)
    }
}

/// A port of which the kernel takes connections and nobody says anything.
private final class SilentListener {
    let port: Int
    private let descriptor: Int32

    init() throws {
        port = try FreePort.next()
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        address.sin_port = UInt16(port).bigEndian
        let status = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        try #require(status == 0 && listen(descriptor, 16) == 0)
    }

    deinit { close(descriptor) }

    var hasBeenCalled: Bool {
        var interest = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&interest, 1, 0) == 1
    }
}

extension Result where Failure == any Error {
    fileprivate init(_ body: () async throws -> Success) async {
        do { self = .success(try await body()) } catch { self = .failure(error) }
    }
}

extension PostgresFixture {
    /// Makes the running server refuse writes, in sessions that are open, too, as a primary that is demoted does.
    fileprivate func setReadOnly(_ isReadOnly: Bool) async throws {
        let url = self.url + "?options=-c%20default_transaction_read_only%3Doff&target_session_attrs=any"
        let client = PostgresClient(configuration: try PostgresConfiguration(url: url), logger: quiet)
        _ = try await client.query(
            PostgresStatement("ALTER SYSTEM SET default_transaction_read_only = \(isReadOnly ? "on" : "off")"))
        _ = try await client.query("SELECT pg_reload_conf()")
        // Each process reads it by itself; a new one has it from the start, but for what its options say.
        let watcher = PostgresClient(
            configuration: try PostgresConfiguration(url: self.url + "?target_session_attrs=any"), logger: quiet)
        try await eventually("the setting is read") {
            let value = try await watcher.query("SHOW default_transaction_read_only")[0].decode(String.self)
            return value == (isReadOnly ? "on" : "off")
        }
        await watcher.close()
        await client.close()
    }
}
