import ChatStorage
import ChatTestSupport
import CommonUtil
import PostgresClient
import ServiceLifecycle
import Synchronization
import Testing

@testable import ChatMessageServer

@Suite(.timeLimit(.minutes(2))) struct ChangeSequencerTests {
    /// Hints that tests give.
    private final class TestHints: RoomHints {
        let wanted = EventCollector<Bool>()
        func setWanted(_ isWanted: Bool) { wanted.append(isWanted) }
    }

    private func sequencer(
        _ fixture: ChangeFixture, holder: Int64, timing: ChangeSequencerStateMachine.Timing = .init()
    ) -> ChangeSequencer {
        let sequencer = ChangeSequencer(
            fixture.sequence, timing: timing, holder: holder, logger: ChangeFixture.quiet)
        sequencer.begin()
        return sequencer
    }

    /// Reads `count` events from the beginning, as soon as there are as many.
    private func read(_ count: Int, _ fixture: ChangeFixture, after: String = "begin") async throws -> [String] {
        var names: [String] = []
        var next = after
        let deadline = ContinuousClock.now + .seconds(20)
        while names.count < count {
            try #require(ContinuousClock.now < deadline, "only \(names)")
            let read = try await fixture.read(after: next, wait: .seconds(5))
            names += read.names
            next = read.next
        }
        return names
    }

    @Test func `rooms that are older than the feed are taken in, and events are appended without hints`() async throws {
        try await ChangeFixture.run { fixture in
            try await fixture.makeRoom("old")
            for number in 1...3 { try await fixture.post("\(number)", in: "old") }
            try await ChangeFixture.running([sequencer(fixture, holder: 1)]) {
                #expect(try await read(4, fixture) == ["old/0", "old/1", "old/2", "old/3"])
                try await fixture.makeRoom("new")
                try await fixture.post("1", in: "new")
                #expect(try await read(6, fixture).suffix(2) == ["new/0", "new/1"])
            }
        }
    }

    @Test func `with hints an event needs no pass through all rooms`() async throws {
        try await ChangeFixture.run { fixture in
            try await fixture.makeRoom("a")
            let hints = TestHints()
            var timing = ChangeSequencerStateMachine.Timing()
            timing.passInterval = .seconds(3_600)
            let sequencer = sequencer(fixture, holder: 1, timing: timing)
            sequencer.use(hints)
            try await ChangeFixture.running([sequencer]) {
                try await hints.wanted.first(1)
                sequencer.hintsChanged(isHinted: true)
                _ = try await read(1, fixture)
                for number in 1...5 {
                    let now = try await fixture.read(after: "now").next
                    try await fixture.post("\(number)", in: "a")
                    sequencer.hint([RoomID(verified: "a")])
                    #expect(try await fixture.read(after: now, wait: .seconds(20)).names == ["a/\(number)"])
                }
            }
        }
    }

    @Test func `a stopped server hands over at once, and the order goes on`() async throws {
        try await ChangeFixture.run { fixture in
            try await fixture.makeRoom("a")
            try await ChangeFixture.running([sequencer(fixture, holder: 1)]) { _ = try await read(1, fixture) }
            #expect(try await fixture.sequence.acquire(2, for: .microseconds(1)))
            try await fixture.post("1", in: "a")
            try await ChangeFixture.running([sequencer(fixture, holder: 3)]) {
                let names = try await read(2, fixture)
                #expect(names == ["a/0", "a/1"])
            }
        }
    }

    @Test func `a server takes over from a dead one`() async throws {
        try await ChangeFixture.run { fixture in
            try await fixture.makeRoom("a")
            try await ChangeFixture.running([sequencer(fixture, holder: 2)]) {
                _ = try await read(1, fixture)
                // Another server has the lease and does nothing with it, as a dead one.
                try await fixture.sequence.release(2)
                _ = try await fixture.sequence.acquire(9, for: ChangeSequencerStateMachine.Timing().lease)
                try await fixture.post("1", in: "a")
                #expect(try await read(2, fixture) == ["a/0", "a/1"])
            }
        }
    }

    @Test func `several servers that append at once make one order without gaps and doubles`() async throws {
        try await ChangeFixture.run { fixture in
            let rooms = (1...8).map { "room\($0)" }
            for room in rooms { try await fixture.makeRoom(room) }
            let finish = Finish()
            // Each takes the lease from the others all the time.
            let servers = (1...3).map { holder in
                Task {
                    try await finish.repeating { _ in
                        _ = try await fixture.client.query(
                            "UPDATE change_feed SET held_until = '-infinity' WHERE holder <> $1", .int8(holder))
                        let isHolder = try await fixture.sequence.acquire(Int64(holder), for: .seconds(1))
                        let pending = try await fixture.sequence.pending(after: nil, limit: 100).pending
                        guard isHolder else { return }
                        _ = try await fixture.sequence.append(
                            pending, holder: Int64(holder), extendingBy: .seconds(1))
                    }
                }
            }
            try await withThrowingTaskGroup { group in
                for room in rooms {
                    group.addTask { for number in 1...60 { try await fixture.post("\(number)", in: room) } }
                }
                try await group.waitForAll()
            }
            finish.now()
            for server in servers { _ = try await server.value }
            try await fixture.client.withConnection { session in
                try await session.execute(script: "UPDATE change_feed SET holder = NULL")
            }
            try await fixture.append()
            let names = try await fixture.readAll(limit: 50).names
            for room in rooms {
                #expect(names.filter { $0.hasPrefix(room + "/") } == (0...60).map { "\(room)/\($0)" })
            }
        }
    }
}
