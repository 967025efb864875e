import NIOCore
import Testing

@testable import RedisClient

@Suite(.timeLimit(.minutes(2))) struct SubscriptionStateMachineTests {
    private func confirmation(_ verb: String, _ name: String) -> RESPValue {
        .array([.bulkString(ByteBuffer(string: verb)), .bulkString(ByteBuffer(string: name)), .integer(1)])
    }

    /// A machine with a connection and nothing to restore.
    private func connected(maximumNames: Int = 100) -> SubscriptionStateMachine {
        var machine = SubscriptionStateMachine(maximumNames: maximumNames)
        #expect(machine.connected() == [.established])
        return machine
    }

    @Test func `a request ends when all of its names are confirmed`() {
        var machine = connected()
        #expect(machine.add(["a", "b"], kind: .channel, request: 1) == [.send(.subscribe, names: ["a", "b"])])
        #expect(machine.received(confirmation("subscribe", "a")).isEmpty)
        #expect(machine.received(confirmation("subscribe", "b")) == [.succeed(1)])
    }

    @Test func `what was asked before the first connection is restored by it`() {
        var machine = SubscriptionStateMachine(maximumNames: 100)
        #expect(machine.add(["a"], kind: .channel, request: 1).isEmpty)
        #expect(machine.add(["p*"], kind: .pattern, request: 2).isEmpty)
        #expect(machine.connected() == [.send(.subscribe, names: ["a"]), .send(.psubscribe, names: ["p*"])])
        #expect(machine.received(confirmation("subscribe", "a")).isEmpty)
        #expect(machine.received(confirmation("psubscribe", "p*")) == [.established, .succeed(1), .succeed(2)])
    }

    @Test func `a new connection restores what is wanted, and only that`() {
        var machine = connected()
        _ = machine.add(["a", "b"], kind: .channel, request: 1)
        #expect(machine.disconnected() == [.fail(1, .connectionLost(outcomeUnknown: true))])
        #expect(machine.remove(["a"], kind: .channel, request: 2) == [.succeed(2)])
        #expect(machine.add(["c"], kind: .channel, request: 3) == [.fail(3, .notConnected)])
        guard case .send(.subscribe, let names) = machine.connected().first else {
            Issue.record("nothing restored")
            return
        }
        #expect(Set(names) == ["b", "c"])
        #expect(machine.received(confirmation("subscribe", names[0])).isEmpty)
        #expect(machine.received(confirmation("subscribe", names[1])) == [.established])
    }

    @Test func `many names are restored in chunks`() {
        var machine = SubscriptionStateMachine(maximumNames: 10_000)
        _ = machine.add((0..<2_500).map(String.init), kind: .channel, request: 1)
        let sizes = machine.connected().map { action in
            if case .send(_, let names) = action { names.count } else { 0 }
        }
        #expect(sizes == [1_000, 1_000, 500])
    }

    @Test func `a request made while restoring is not part of it`() {
        var machine = SubscriptionStateMachine(maximumNames: 100)
        _ = machine.add(["a"], kind: .channel, request: 1)
        _ = machine.connected()
        #expect(machine.add(["b"], kind: .channel, request: 2) == [.send(.subscribe, names: ["b"])])
        #expect(machine.received(confirmation("subscribe", "a")) == [.established, .succeed(1)])
        #expect(machine.received(confirmation("subscribe", "b")) == [.succeed(2)])
    }

    @Test func `a refused request is forgotten, but not what was wanted before`() {
        var machine = connected()
        _ = machine.add(["a"], kind: .channel, request: 1)
        _ = machine.received(confirmation("subscribe", "a"))
        _ = machine.add(["a", "b"], kind: .channel, request: 2)
        #expect(machine.received(.error("NOPERM")) == [.fail(2, .server("NOPERM"))])
        #expect(machine.wantedNames(.channel) == ["a"])
    }

    @Test func `a refused restoration makes a new connection`() {
        var machine = SubscriptionStateMachine(maximumNames: 100)
        _ = machine.add(["a"], kind: .channel, request: 1)
        _ = machine.connected()
        #expect(machine.received(.error("NOPERM")) == [.disconnect(reason: "NOPERM")])
        #expect(machine.wantedNames(.channel) == ["a"])
    }

    @Test func `no names ask for nothing: without names UNSUBSCRIBE would mean all`() {
        var machine = connected()
        #expect(machine.remove([], kind: .channel, request: 1) == [.succeed(1)])
        #expect(machine.add([], kind: .pattern, request: 2) == [.succeed(2)])
    }

    @Test func `the wanted set is bounded over both kinds`() {
        var machine = connected(maximumNames: 2)
        _ = machine.add(["a"], kind: .channel, request: 1)
        _ = machine.add(["p"], kind: .pattern, request: 2)
        #expect(machine.add(["a"], kind: .channel, request: 3) == [.send(.subscribe, names: ["a"])])
        #expect(machine.add(["b"], kind: .channel, request: 4) == [.fail(4, .overloaded)])
        #expect(machine.wantedNames(.channel) == ["a"])
    }

    @Test func `subscribing and unsubscribing in a row are distinguished`() {
        var machine = connected()
        _ = machine.add(["a"], kind: .channel, request: 1)
        _ = machine.remove(["a"], kind: .channel, request: 2)
        _ = machine.add(["a"], kind: .channel, request: 3)
        #expect(machine.received(confirmation("subscribe", "a")) == [.succeed(1)])
        #expect(machine.received(confirmation("unsubscribe", "a")) == [.succeed(2)])
        #expect(machine.received(confirmation("subscribe", "a")) == [.succeed(3)])
    }

    @Test func `a confirmation out of order makes a new connection, an odd push does not`() {
        var machine = connected()
        #expect(machine.received(confirmation("subscribe", "x")) == [.unexpected])
        #expect(machine.received(.error("ERR")) == [.unexpected])
        #expect(machine.received(.integer(1)) == [.unexpected])
        #expect(machine.received(.array([.null])) == [.unexpected])
        _ = machine.add(["a"], kind: .channel, request: 1)
        #expect(
            machine.received(confirmation("subscribe", "b")) == [.disconnect(reason: "a confirmation out of order")])
    }

    @Test func `after the end everything is refused`() {
        var machine = connected()
        _ = machine.add(["a"], kind: .channel, request: 1)
        #expect(machine.closed() == [.fail(1, .closed)])
        #expect(machine.add(["a"], kind: .channel, request: 2) == [.fail(2, .closed)])
        #expect(machine.disconnected().isEmpty)
    }
}
