import NIOCore
import Testing

@testable import RedisClient

@Suite(.timeLimit(.minutes(2))) struct CommandStateMachineTests {
    private let start = NIODeadline.uptimeNanoseconds(1_000)

    @Test func `replies belong to commands in order`() {
        var machine = CommandStateMachine<String>()
        machine.sent("a", replies: 1, deadline: start)
        machine.sent("b", replies: 2, deadline: start)
        var delivered: [String] = []
        for _ in 0..<3 {
            guard case .deliver(let command, let isLast) = machine.received() else {
                Issue.record("no command")
                return
            }
            delivered.append(command + (isLast ? "." : ""))
        }
        #expect(delivered == ["a.", "b", "b."])
        #expect(machine.isEmpty)
    }

    @Test func `a reply without a command closes the connection`() {
        var machine = CommandStateMachine<String>()
        guard case .close = machine.received() else {
            Issue.record("delivered")
            return
        }
    }

    @Test func `the first deadline is the one to watch`() {
        var machine = CommandStateMachine<String>()
        guard case .idle = machine.checkDeadline(now: start) else {
            Issue.record("not idle")
            return
        }
        machine.sent("a", replies: 1, deadline: start + .seconds(1))
        machine.sent("b", replies: 1, deadline: start + .seconds(2))
        guard case .check(start + .seconds(1)) = machine.checkDeadline(now: start) else {
            Issue.record("wrong time")
            return
        }
        _ = machine.received()
        guard case .check(start + .seconds(2)) = machine.checkDeadline(now: start + .seconds(1)) else {
            Issue.record("wrong time")
            return
        }
        guard case .expired = machine.checkDeadline(now: start + .seconds(2)) else {
            Issue.record("not expired")
            return
        }
        #expect(machine.close() == ["b"])
        #expect(machine.isEmpty)
    }

    @Test func `is drained when asked to and nothing is in flight`() {
        var machine = CommandStateMachine<String>()
        #expect(!machine.isDrained)
        machine.sent("a", replies: 1, deadline: start)
        machine.drain()
        #expect(!machine.isDrained)
        _ = machine.received()
        #expect(machine.isDrained)
    }
}
