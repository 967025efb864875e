import ChatEvents
import ChatLocalStack
import ChatTestSupport
import CommonAuth
import CommonUtil
import NIOPosix
import RedisClient
import Synchronization
import Testing

@testable import ChatEventBus

@Suite(.timeLimit(.minutes(2))) struct RevocationFeedTests {
    /// What the servers share: the table of revocations.
    private final class Table: Sendable {
        private struct Away: Error {}

        private let rows = Mutex<[Revocation]?>([])
        /// For how long back each question was.
        let asked = EventCollector<Duration>()

        func set(_ revocations: [Revocation]?) { rows.withLock { $0 = revocations } }

        func read(_ time: Duration) throws -> [Revocation] {
            asked.append(time)
            guard let rows = rows.withLock({ $0 }) else { throw Away() }
            return rows
        }
    }

    /// A server as far as it knows of revocations.
    private struct Server {
        let list = RevocationList()
        let news = EventCollector<Revocation>()
        let feed: RevocationFeed

        init(_ configuration: RedisConfiguration, _ redis: RedisClient, _ table: Table) {
            feed = RevocationFeed(
                list: list, configuration: configuration, redis: redis,
                eventLoop: MultiThreadedEventLoopGroup.singleton.next(), logger: BusHarness.quiet,
                read: { try table.read($0) }, onNews: { [news] in news.append(contentsOf: $0) })
        }

        func knows(_ revocation: Revocation) async throws {
            try await news.first { $0 == revocation }
            #expect(list.includes(RevocationFeedTests.caller(of: revocation)))
        }
    }

    private static func caller(of revocation: Revocation) -> AuthenticatedUser {
        guard case .signIn(let signInID) = revocation.scope else { preconditionFailure("not made here") }
        return AuthenticatedUser(
            userID: revocation.userID, tokenExpiresAt: revocation.expiresAt, signInID: signInID)
    }

    private static func revocation() -> Revocation {
        Revocation(
            userID: UserID(7), scope: .signIn(.random()),
            expiresAt: Timestamp(microseconds: (Timestamp.now.seconds + 900) * 1_000_000))
    }

    /// Runs two servers.
    private func withServers(
        _ configuration: RedisConfiguration, _ table: Table, isConnected: Bool = true,
        _ body: (RedisClient, Server, Server) async throws -> Void
    ) async throws {
        try await BusHarness.withClient(configuration, isConnected: isConnected) { redis in
            let (one, other) = (Server(configuration, redis, table), Server(configuration, redis, table))
            for server in [one, other] { try await server.feed.load() }
            try await BusHarness.running(one.feed) {
                try await BusHarness.running(other.feed) { try await body(redis, one, other) }
            }
        }
    }

    @Test func `Redis pushes revocations to other servers, and malformed messages are ignored`() async throws {
        let engine = try await LocalRedis.ephemeral(logger: BusHarness.quiet)
        let configuration = try BusHarness.configuration(engine.url)
        // The database returns nothing.
        let table = Table()
        try await withServers(configuration, table) { redis, one, other in
            try await redis.ping()
            // There is no event for the subscription of a feed but the number of receivers.
            var receivers = 0
            let deadline = ContinuousClock.now + .seconds(20)
            while receivers < 2 {
                try #require(ContinuousClock.now < deadline, "the feeds do not subscribe")
                receivers = try await redis.publish(Array("no JSON".utf8), to: RevocationMessage.channel)
            }
            let ended = (0..<1_200).map { _ in Self.revocation() }
            one.feed.announce(ended)
            #expect(one.news.all == ended, "its own server knows at once")
            try await other.news.first(1_200)
            #expect(other.news.all == ended)
            #expect(one.news.all.count == 1_200, "what comes back is not new")
        }
        try await engine.stop()
    }

    @Test func `revocations that Redis loses are read from the database`() async throws {
        // No server listens there.
        let configuration = try BusHarness.configuration("redis://127.0.0.1:\(FreePort.next())")
        let table = Table()
        try await withServers(configuration, table, isConnected: false) { _, one, other in
            let ended = Self.revocation()
            one.feed.announce([ended])
            table.set([ended])
            let start = ContinuousClock.now
            try await other.knows(ended)
            // One read a second; the rest is for a busy machine.
            #expect(ContinuousClock.now - start < .seconds(10))
            let count = table.asked.all.count
            try await table.asked.first(count + 4)
            #expect(other.news.all == [ended], "what is read again is not new")
        }
    }

    @Test func `nothing is served before all revocations are known, and a gap is made up for`() async throws {
        let configuration = try BusHarness.configuration("redis://127.0.0.1:\(FreePort.next())")
        let table = Table()
        table.set(nil)
        try await BusHarness.withClient(configuration, isConnected: false) { redis in
            let server = Server(configuration, redis, table)
            let ended = Self.revocation()
            let loading = Task { try await server.feed.load() }
            try await table.asked.first(2)
            #expect(server.news.all.isEmpty)
            table.set([ended])
            try await loading.value
            #expect(server.news.all == [ended])
            #expect(table.asked.all.allSatisfy { $0 == ReadWindow.everything })
        }
    }

    @Test func `a read covers the time since the last successful one`() {
        let (window, start) = (ReadWindow(), ContinuousClock.now)
        #expect(!window.hasBegun && window.length(at: start) == ReadWindow.everything)
        window.succeeded(begunAt: start)
        #expect(window.hasBegun && window.length(at: start + .seconds(1)) == .seconds(1))
        #expect(window.length(at: start + .seconds(90)) == .seconds(90))
        window.succeeded(begunAt: start - .seconds(5))
        #expect(window.length(at: start + .seconds(90)) == .seconds(90))
        #expect(window.length(at: start + .seconds(1_000_000)) == ReadWindow.everything)
    }
}
