import Testing

@testable import ChatWebSocketServer

/// Timelines of checks of a peer, each when it is due.
@Suite(.timeLimit(.minutes(2))) struct HeartbeatTests {
    /// A heartbeat and the time of its last check.
    private struct Timeline {
        var heartbeat = Heartbeat()
        var time = Duration.zero
        var next = Heartbeat.pingInterval

        mutating func look(queued: Int = 0, written: Int = 0) -> Heartbeat.Action {
            time += next
            let (action, interval) = heartbeat.due(elapsed: next, bytesQueued: queued, bytesWritten: written)
            next = interval
            return action
        }
    }

    // MARK: An idle peer

    @Test func `a peer that answers is pinged every 25 seconds`() {
        var line = Timeline()
        var pings: [Duration] = []
        for _ in 0..<7 {
            switch line.look() {
            case .ping:
                pings.append(line.time)
                line.heartbeat.received()
            case .none: break
            case .drop, .closeStalled: Issue.record("ended at \(line.time)")
            }
        }
        #expect(pings == [.seconds(25), .seconds(50), .seconds(75), .seconds(100)])
    }

    @Test func `a peer that does not answer is dropped 10 seconds after the ping`() {
        var line = Timeline()
        #expect(line.look() == .ping)
        #expect(line.time == .seconds(25))
        #expect(line.look() == .drop)
        #expect(line.time == .seconds(35))
    }

    @Test func `anything the peer sends after the ping counts as an answer`() {
        var line = Timeline()
        #expect(line.look() == .ping)
        line.heartbeat.received()
        #expect(line.look() == .none)
        #expect(line.time == .seconds(35))
        #expect(line.look() == .ping)
        #expect(line.time == .seconds(50))
        // Data before the ping is no answer to it.
        #expect(line.look() == .drop)
    }

    // MARK: A peer that cannot answer

    @Test func `a peer that cannot answer is pinged every 15 seconds and never dropped for its silence`() {
        var line = Timeline(heartbeat: Heartbeat(expectsAnswers: false), next: .seconds(15))
        for ping in 1...20 {
            #expect(line.look() == .ping)
            #expect(line.time == .seconds(15 * ping))
        }
    }

    @Test func `a peer that cannot answer and takes nothing for 60 seconds is closed`() {
        var line = Timeline(heartbeat: Heartbeat(expectsAnswers: false), next: .seconds(15))
        _ = line.look(queued: 400, written: 1_000)
        let start = line.time
        var action = Heartbeat.Action.none
        while action == .none, line.time < .seconds(200) { action = line.look(queued: 400, written: 1_000) }
        #expect(action == .closeStalled && line.time - start == .seconds(60))
    }

    // MARK: A peer with bytes queued

    @Test func `a peer that takes bytes is kept, however slowly it reads`() {
        var line = Timeline()
        _ = line.look(queued: 1_000, written: 1_000)
        for taken in 1...60 {
            #expect(line.look(queued: 1_000 - taken, written: 1_000) == .none)
            #expect(line.next == Heartbeat.stallCheckInterval)
        }
    }

    @Test func `a peer that takes nothing for 60 seconds is closed`() {
        var line = Timeline()
        _ = line.look(queued: 400, written: 1_000)
        let start = line.time
        for _ in 0..<100 where line.look(queued: 400, written: 1_000) != .none { break }
        #expect(line.time - start == .seconds(60))
    }

    @Test func `time without queued bytes does not count as a stall`() {
        var line = Timeline()
        for _ in 0..<4 {
            if line.look(queued: 0, written: 1_000) == .ping { line.heartbeat.received() }
        }
        // Something was queued just now.
        #expect(line.look(queued: 10, written: 1_010) == .none)
        let seen = line.time
        var action = Heartbeat.Action.none
        while action == .none, line.time - seen < .seconds(200) { action = line.look(queued: 10, written: 1_010) }
        #expect(action == .closeStalled)
        #expect(line.time - seen >= .seconds(60))
    }

    @Test func `bytes that are queued meanwhile do not count as taken`() {
        var line = Timeline()
        _ = line.look(queued: 100, written: 100)
        var action = Heartbeat.Action.none
        var queued = 100
        while action == .none, line.time < .seconds(200) {
            queued += 50
            action = line.look(queued: queued, written: queued)
        }
        #expect(action == .closeStalled)
    }

    @Test func `bytes taken restart the minute`() {
        var line = Timeline()
        _ = line.look(queued: 100, written: 100)
        for _ in 0..<11 { #expect(line.look(queued: 100, written: 100) == .none) }
        #expect(line.look(queued: 99, written: 100) == .none)
        for _ in 0..<11 { #expect(line.look(queued: 99, written: 100) == .none) }
        #expect(line.look(queued: 99, written: 100) == .closeStalled)
    }

    @Test func `a ping that waits behind bytes needs no answer, and one follows when they are gone`() {
        var line = Timeline()
        #expect(line.look() == .ping)
        #expect(line.look(queued: 100, written: 200) == .none)
        #expect(line.next == Heartbeat.stallCheckInterval)
        #expect(line.look(queued: 0, written: 200) == .ping)
        #expect(line.look(queued: 0, written: 200) == .drop)
    }
}
