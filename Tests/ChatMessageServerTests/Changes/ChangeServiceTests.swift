import ChatEvents
import ChatStorage
import ChatTestSupport
import CommonUtil
import Synchronization
import Testing

@testable import ChatMessageServer

@Suite(.timeLimit(.minutes(2))) struct ChangeServiceTests {
    private struct Revoked: Error {}
    private final class Moves: Sendable { let count = Atomic(0) }

    /// Three rooms with twelve posts each, in many runs.
    private func fill(_ fixture: ChangeFixture) async throws -> [String] {
        for room in ["a", "b", "c"] { try await fixture.makeRoom(room) }
        for number in 1...12 {
            for room in ["a", "b", "c"] { try await fixture.post("\(number)", in: room) }
            if number.isMultiple(of: 4) { try await fixture.append() }
        }
        return try await fixture.readAll().names
    }

    @Test func `every limit and every filter gives the same order`() async throws {
        try await ChangeFixture.run { fixture in
            let all = try await fill(fixture)
            #expect(all.count == 39)
            for room in ["a", "b", "c"] {
                #expect(all.filter { $0.hasPrefix(room) } == (0...12).map { "\(room)/\($0)" })
            }
            for limit in [1, 2, 5, 38, 39, 40, 1_000] {
                let read = try await fixture.readAll(limit: limit)
                #expect(read.names == all)
                #expect(read.pages == (39 + limit - 1) / limit)
                let some = try await fixture.readAll(
                    limit: limit, ChangeFilter(roomIDs: [RoomID(verified: "b"), RoomID(verified: "none")]))
                #expect(some.names == all.filter { $0.hasPrefix("b") })
                let created = try await fixture.readAll(limit: limit, ChangeFilter(types: [.roomCreated]))
                #expect(created.names == all.filter { $0.hasSuffix("/0") })
                #expect(created.next == read.next)
            }
        }
    }

    @Test func `with small bounds of work a filter moves on page by page`() async throws {
        try await ChangeFixture.run { fixture in
            let all = try await fill(fixture)
            var small = fixture
            small.service.bounds = .init(runs: 2, filteredEvents: 3, filteredEventsWithoutMessages: 3, reads: 2)
            for types: Set<EventType> in [[.roomCreated], [.message], [.roomArchived], [.message, .roomCreated]] {
                let wanted = all.filter { types.contains($0.hasSuffix("/0") ? .roomCreated : .message) }
                let read = try await small.readAll(limit: 7, ChangeFilter(types: types))
                #expect(read.names == wanted, "\(types)")
                #expect(read.pages > 3)
            }
            #expect(try await small.readAll(limit: 1_000).names == all)
            #expect(
                try await small.readAll(ChangeFilter(roomIDs: [RoomID(verified: "c")])).names
                    == all.filter { $0.hasPrefix("c") })
        }
    }

    @Test func `a reader that asks from now on gets what comes later`() async throws {
        try await ChangeFixture.run { fixture in
            let empty = try await fixture.read(after: "now")
            _ = try await fill(fixture)
            let now = try await fixture.read(after: "now")
            #expect(now.names == [] && !now.hasMore)
            try await fixture.post("more", in: "a")
            try await fixture.append()
            #expect(try await fixture.read(after: now.next).names == ["a/13"])
            #expect(try await fixture.readAll(after: empty.next).names.count == 40)
        }
    }

    @Test func `a wait ends with the first event that matches`() async throws {
        try await ChangeFixture.run { fixture in
            _ = try await fill(fixture)
            let filter = ChangeFilter(roomIDs: [RoomID(verified: "b")])
            let now = try await fixture.read(after: "now").next
            let waiting = Task { try await fixture.read(after: now, wait: .seconds(60), filter) }
            try await fixture.waitForWaiters(1)
            try await fixture.post("other", in: "a")
            try await fixture.append()
            try await fixture.post("wanted", in: "b")
            try await fixture.append()
            #expect(try await waiting.value.names == ["b/13"])
        }
    }

    @Test func `a wait without an event ends in time, and its cursor has moved on`() async throws {
        try await ChangeFixture.run { fixture in
            _ = try await fill(fixture)
            let filter = ChangeFilter(roomIDs: [RoomID(verified: "b")])
            let now = try await fixture.read(after: "now").next
            try await fixture.post("other", in: "a")
            try await fixture.append()
            let start = ContinuousClock.now
            let read = try await fixture.read(after: now, wait: .milliseconds(300), filter)
            #expect(ContinuousClock.now - start >= .milliseconds(300))
            #expect(read.names == [] && read.next != now && !read.hasMore)
        }
    }

    @Test func `a wait ends when the server drains`() async throws {
        try await ChangeFixture.run { fixture in
            try await fixture.makeRoom("a")
            try await fixture.append()
            let waiting = Task { try await fixture.read(after: "now", wait: .seconds(60)) }
            try await fixture.waitForWaiters(1)
            await fixture.watch.drain()
            #expect(try await waiting.value.names == [])
            #expect(try await fixture.read(after: "now", wait: .seconds(60)).names == [])
        }
    }

    @Test func `a wait whose client has left ends with what there is, a second later`() async throws {
        try await ChangeFixture.run { fixture in
            _ = try await fill(fixture)
            let now = try await fixture.read(after: "now").next
            let start = ContinuousClock.now
            let read = try await fixture.read(after: now, wait: .seconds(60)) { false }
            #expect(read.names == [] && read.next == now)
            #expect(ContinuousClock.now - start < .seconds(20))
            #expect(await fixture.watch.count == 0)
        }
    }

    @Test func `a wait ends when its key is revoked, or its task is cancelled`() async throws {
        try await ChangeFixture.run { fixture in
            await #expect(throws: Revoked.self) {
                _ = try await fixture.read(after: "now", wait: .seconds(60)) { throw Revoked() }
            }
            let waiting = Task { try await fixture.read(after: "now", wait: .seconds(60)) }
            try await fixture.waitForWaiters(1)
            waiting.cancel()
            _ = await waiting.result
            #expect(await fixture.watch.count == 0)
        }
    }

    @Test func `a wait on a feed that moves all the time ends when its key is revoked`() async throws {
        try await ChangeFixture.run { fixture in
            _ = try await fill(fixture)
            let filter = ChangeFilter(roomIDs: [RoomID(verified: "b")])
            let now = try await fixture.read(after: "now").next
            let moves = Moves()
            await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    while !Task.isCancelled {
                        try await fixture.post("other", in: "a")
                        try await fixture.append()
                        moves.count.add(1, ordering: .relaxed)
                    }
                }
                await #expect(throws: Revoked.self) {
                    _ = try await fixture.read(after: now, wait: .seconds(60), filter) {
                        if moves.count.load(ordering: .relaxed) > 2 { throw Revoked() }
                        return true
                    }
                }
                group.cancelAll()
            }
        }
    }

    @Test func `a place that the feed does not have is refused`() async throws {
        try await ChangeFixture.run { fixture in
            _ = try await fill(fixture)
            let foreign = ChangeCursor.text(of: ChangePosition(run: 1, seq: 1, mark: 77))
            for filter in [ChangeFilter.all, ChangeFilter(types: [.message])] {
                await #expect(throws: ChatError(.cursorUnknown)) {
                    _ = try await fixture.read(after: foreign, wait: .seconds(60), filter)
                }
            }
        }
    }

    @Test func `a page of large messages is bounded, and nothing is left out`() async throws {
        try await ChangeFixture.run { fixture in
            try await fixture.makeRoom("a")
            let text = String(repeating: "x", count: 60_000)
            for _ in 1...40 { try await fixture.post(text, in: "a") }
            try await fixture.append()
            let first = try await fixture.read(after: "begin", limit: 1_000)
            #expect(first.hasMore)
            #expect((10...18).contains(first.names.count))
            #expect(try await fixture.readAll(limit: 1_000).names == (0...40).map { "a/\($0)" })
        }
    }
}

extension ChangeFixture {
    /// Returns when so many readers wait. There is no event for that.
    func waitForWaiters(_ count: Int) async throws {
        let deadline = ContinuousClock.now + .seconds(20)
        while await watch.count < count {
            try #require(ContinuousClock.now < deadline, "nobody waits")
            try await Task.sleep(for: .milliseconds(2))
        }
    }
}
