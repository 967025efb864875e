import NIOCore
import Testing

@testable import CommonServer

@Suite(.timeLimit(.minutes(2))) final class ConnectionTimingTests {
    private var timing = ConnectionTiming(headTimeout: .seconds(10))
    private let start = NIODeadline.uptimeNanoseconds(1_000_000_000_000)

    private func at(_ seconds: Int64) -> NIODeadline { start + .seconds(seconds) }

    private func isDue(_ seconds: Int64, queued: Int = 0, waitsForClient: Bool = true) -> Bool {
        timing.isDue(at: at(seconds), queued: queued, waitsForClient: waitsForClient)
    }

    @Test func `a connection that never makes a request has ten seconds`() {
        timing.wait(for: .nextRequest, at: start)
        #expect(timing.current == .firstRequest)
        #expect(!isDue(9) && isDue(10))
        #expect(timing.nextCheck(after: start) == at(10))
    }

    @Test func `a head that drips has ten seconds from its first byte on`() {
        timing.responseCompleted()
        timing.wait(for: .nextRequest, at: start)
        timing.wait(for: .head, at: at(50))
        timing.wait(for: .head, at: at(59))
        #expect(!isDue(59) && isDue(60))
    }

    @Test func `a first head that drips has ten seconds from the connection's begin on`() {
        timing.wait(for: .firstRequest, at: start)
        timing.wait(for: .head, at: at(9))
        #expect(!isDue(9) && isDue(10))
    }

    @Test func `empty lines in halves begin no deadline again`() {
        timing.wait(for: .firstRequest, at: start)
        for second in Int64(1)...9 {
            timing.wait(for: second.isMultiple(of: 2) ? .nextRequest : .head, at: at(second))
            #expect(!isDue(second))
        }
        #expect(isDue(10))
        timing.responseCompleted()
        for second in stride(from: Int64(10), to: 84, by: 2) {
            timing.wait(for: .nextRequest, at: at(second))
            timing.wait(for: .head, at: at(second + 1))
            #expect(!isDue(second + 1))
        }
        timing.wait(for: .nextRequest, at: at(84))
        #expect(!isDue(84) && isDue(85))
    }

    @Test func `a body has sixty seconds`() {
        timing.wait(for: .body, at: start)
        timing.wait(for: .body, at: at(30))
        #expect(!isDue(59) && isDue(60))
    }

    @Test func `a connection has 75 seconds after a response`() {
        timing.responseCompleted()
        timing.wait(for: .nextRequest, at: start)
        #expect(!isDue(74) && isDue(75))
        // The next response begins them again.
        timing.wait(for: nil, at: at(60))
        timing.responseCompleted()
        timing.wait(for: .nextRequest, at: at(61))
        #expect(!isDue(135) && isDue(136))
    }

    @Test func `while a request is handled there is no deadline`() {
        timing.wait(for: nil, at: start)
        #expect(!isDue(1_000_000, waitsForClient: false))
    }

    @Test func `a peer that takes nothing for sixty seconds is given up, whatever is waited for`() {
        timing.wait(for: nil, at: start)
        #expect(!isDue(0, queued: 500) && !isDue(59, queued: 500) && isDue(60, queued: 500))
    }

    @Test func `a peer that takes little is not idle`() {
        timing.responseCompleted()
        timing.wait(for: .nextRequest, at: start)
        for second in stride(from: Int64(0), to: 1_000, by: 10) {
            #expect(!isDue(second, queued: 10_000 - Int(second)))
            #expect(timing.nextCheck(after: at(second)) > at(second))
        }
        #expect(isDue(1_000, queued: 0))
    }

    @Test func `when the server stops a client has five seconds`() {
        timing.wait(for: .body, at: start)
        timing.stop(at: at(1))
        #expect(!isDue(5) && isDue(6))
        // A request that the server works on is not the client's to end.
        #expect(!isDue(6, waitsForClient: false))
    }

    @Test func `whatever begins to be waited for, it is looked at in time`() {
        timing.responseCompleted()
        timing.wait(for: .nextRequest, at: start)
        #expect(timing.nextCheck(after: start) == at(10))
        timing.wait(for: nil, at: start)
        #expect(timing.nextCheck(after: start) == at(10))
    }
}
