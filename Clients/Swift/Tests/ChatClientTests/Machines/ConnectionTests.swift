import Testing

@testable import ChatClient

/// What the cases of all client libraries leave open: here, token calls are made only while `run()` runs.
@Suite(.timeLimit(.minutes(1))) struct ConnectionTests {
    private let lifetime = TokenLifetime(userID: 1, remainingMilliseconds: 900_000, lifetimeMilliseconds: 900_000)

    private func live() -> Connection {
        var connection = Connection { 0.5 }
        _ = connection.start()
        _ = connection.token(lifetime)
        _ = connection.frame(["eventType": "ready", "heartbeatSeconds": 25])
        _ = connection.frame(["eventType": "synced", "cursor": "c"])
        return connection
    }

    @Test func `a stop ends the token call, and the next start makes another one`() {
        var connection = Connection { 0.5 }
        #expect(connection.start() == [.token(.first)])
        _ = connection.stop()
        #expect(!connection.isAsking)
        #expect(connection.nextDeadline == nil)
        #expect(connection.token(lifetime).isEmpty)
        #expect(connection.start() == [.token(.first)])
    }

    @Test func `a token that is refused after a stop is replaced by the next start`() {
        var connection = live()
        _ = connection.stop()
        #expect(connection.unauthorized().isEmpty)
        #expect(!connection.isAsking)
        #expect(connection.start() == [.token(.refused)])
    }

    @Test func `a token that outlives a stop is renewed in time`() {
        var connection = live()
        _ = connection.stop()
        _ = connection.timePassed(100_000)
        _ = connection.start()
        _ = connection.frame(["eventType": "ready", "heartbeatSeconds": 25])
        connection.timers.clear(.ping)
        #expect(connection.timePassed(719_999).isEmpty)
        #expect(connection.timePassed(720_000).contains(.token(.expiring)))
    }
}
