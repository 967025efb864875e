import ChatEvents
import ChatStorage
import CommonUtil
import Synchronization
import Testing

@testable import ChatMessageServer

/// Readings that wait until they are let go on, and are counted.
private final class Readings: Sendable {
    private let starts = Mutex(0)
    private let gate = AsyncStream<Never>.makeStream()

    var count: Int { starts.withLock { $0 } }

    func release() { gate.continuation.finish() }

    func read(_ request: ChangeService.Request, isEmpty: Bool) async -> ChangePage {
        starts.withLock { $0 += 1 }
        for await _ in gate.stream {}
        guard case .after(let place) = request.start else { return ChangePage(after: Self.place(0), limit: 1) }
        var page = ChangePage(after: place, limit: request.limit)
        let room = RoomCreated(
            roomID: RoomID(verified: "a"), name: "a", type: "public", memberCount: 0, members: [], actorID: nil,
            at: .now)
        if !isEmpty { page.append(.init(position: Self.place(place.run + 1), change: .roomCreated(room))) }
        return page
    }

    static func place(_ run: Int64) -> ChangePosition { ChangePosition(run: run, seq: 0, mark: 7) }
}

extension SharedChangePages {
    fileprivate func page(after run: Int64, types: Set<EventType>? = nil) async throws -> ChangePage {
        try await page(after: Readings.place(run), ChangeFilter(types: types), limit: 100, wait: .seconds(1))
    }
}

@Suite(.timeLimit(.minutes(1))) struct SharedChangePagesTests {
    @Test func `readers at the same place share a reading, and those that come a little later its page`() async throws {
        let readings = Readings()
        let pages = SharedChangePages(lifetime: .seconds(60)) { await readings.read($0, isEmpty: false) }
        try await withThrowingTaskGroup(of: ChangePage.self) { group in
            for _ in 0..<5 { group.addTask { try await pages.page(after: 1) } }
            readings.release()
            for try await page in group { #expect(page.count == 1 && page.next == Readings.place(2)) }
        }
        #expect(try await pages.page(after: 1).next == Readings.place(2))
        #expect(readings.count == 1)
    }

    @Test func `another place and another filter are read for themselves`() async throws {
        let readings = Readings()
        readings.release()
        let pages = SharedChangePages(lifetime: .seconds(60)) { await readings.read($0, isEmpty: false) }
        #expect(try await pages.page(after: 1).next == Readings.place(2))
        #expect(try await pages.page(after: 2).next == Readings.place(3))
        _ = try await pages.page(after: 1, types: [.message])
        #expect(readings.count == 3)
    }

    @Test func `a page is not kept beyond its time, and one without events not at all`() async throws {
        for (lifetime, isEmpty) in [(Duration.zero, false), (.seconds(60), true)] {
            let readings = Readings()
            readings.release()
            let pages = SharedChangePages(lifetime: lifetime) { await readings.read($0, isEmpty: isEmpty) }
            for _ in 0..<3 { _ = try await pages.page(after: 1) }
            #expect(readings.count == 3)
        }
    }

    @Test func `no more than sixteen pages are kept`() async throws {
        let readings = Readings()
        readings.release()
        let pages = SharedChangePages(lifetime: .seconds(60)) { await readings.read($0, isEmpty: false) }
        for run in 1...17 { _ = try await pages.page(after: Int64(run)) }
        _ = try await pages.page(after: 16)
        #expect(readings.count == 17)
        _ = try await pages.page(after: 17)
        #expect(readings.count == 18)
    }

    @Test func `an error reaches all who wait, and the next one reads again`() async throws {
        let readings = Readings()
        let pages = SharedChangePages(lifetime: .seconds(60)) { request in
            let page = await readings.read(request, isEmpty: false)
            if readings.count == 1 { throw ChatError(.cursorUnknown) }
            return page
        }
        await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<3 { group.addTask { (try? await pages.page(after: 1)) == nil } }
            // All three have to be there before the first reading ends.
            while readings.count == 0 { await Task.yield() }
            readings.release()
            for await hasFailed in group where !hasFailed { #expect(readings.count > 1) }
        }
        #expect(try await pages.page(after: 1).count == 1)
    }

    @Test func `who is cancelled does not end the reading of others`() async throws {
        let readings = Readings()
        let pages = SharedChangePages(lifetime: .seconds(60)) { request in
            let page = await readings.read(request, isEmpty: false)
            try Task.checkCancellation()
            return page
        }
        let first = Task { try await pages.page(after: 1) }
        while readings.count == 0 { await Task.yield() }
        let second = Task { try await pages.page(after: 1) }
        first.cancel()
        readings.release()
        #expect(try await second.value.count == 1)
    }
}
