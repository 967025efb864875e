import ChatEvents
import CommonUtil
import PostgresClient
import Testing

@testable import ChatStorage

@Suite(.timeLimit(.minutes(2))) struct ChangeRepositoryTests {
    /// Two rooms with events of several types, appended in three parts.
    private func withFeed(_ body: (Store, MessageWriter) async throws -> Void) async throws {
        try await withStore { store in
            try await store.makeRoom()
            try await store.appendAll()
            try await withWriter(store.client) { writer in
                let first = try await writer.mustStore(draft("first"))
                _ = try await store.rooms.withLockedRoom(.hall) { try await $0.join(cid, as: .member, by: ann) }
                try await store.appendAll()
                try await store.makeRoom(.attic)
                try await writer.mustStore(draft("second", in: .attic))
                try await store.appendAll()
                try await store.edit(first, to: "edited")
                try await store.appendAll()
                try await body(store, writer)
            }
        }
    }

    private static let all = ["hall/0", "hall/1", "hall/2", "attic/0", "attic/1", "hall/3"]

    @Test func `pages of any size give the same events in the same order`() async throws {
        try await withFeed { store, _ in
            for size in 1...7 {
                let items = try await store.readChanges(size: size)
                #expect(items.map(\.name) == Self.all)
            }
        }
    }

    @Test func `reading can go on after any event, with any filter`() async throws {
        try await withFeed { store, _ in
            let items = try await store.readChanges()
            for (index, item) in items.enumerated() {
                let rest = Self.all.dropFirst(index + 1)
                #expect(try await store.readChanges(after: item.position).map(\.name) == Array(rest))
                for room in [RoomID.hall, .attic] {
                    #expect(
                        try await store.readChanges(after: item.position, in: [room], size: 2).map(\.name)
                            == rest.filter { $0.hasPrefix(room.rawValue) })
                }
            }
        }
    }

    @Test func `events have the present content, and only the types that are wanted`() async throws {
        try await withFeed { store, _ in
            let items = try await store.readChanges()
            #expect(
                items.map(\.change.type) == [
                    .roomCreated, .message, .memberJoined, .roomCreated, .message, .messageEdited,
                ])
            guard case .event(let event) = items[1].change else { return #expect(Bool(false), "\(items[1])") }
            #expect(event.message?.contentJSON == #"{"text":"edited"}"#)
            for type in EventType.allCases {
                #expect(
                    try await store.readChanges(types: [type], size: 3)
                        == items.filter { $0.change.type == type }, "\(type)")
            }
            #expect(
                try await store.readChanges(in: [.attic], types: [.message, .memberJoined]).map(\.name) == ["attic/1"])
        }
    }

    @Test func `a place of another feed, or of a time that was set back, is not known`() async throws {
        try await withFeed { store, writer in
            let (begin, head) = try await store.changes.bounds()
            func isKnown(_ place: ChangePosition, in rooms: Set<RoomID>? = nil) async throws -> Bool {
                try await store.changes.runs(after: place, in: rooms, limit: 10) != nil
            }
            #expect(try await isKnown(begin))
            #expect(try await isKnown(head))
            #expect(try await isKnown(head, in: [.attic]))
            for place in [
                ChangePosition(run: 0, seq: 0, mark: begin.mark &+ 1), ChangePosition(run: 0, seq: 1, mark: begin.mark),
                ChangePosition(run: head.run, seq: head.seq, mark: head.mark &+ 1),
                ChangePosition(run: head.run, seq: head.seq + 1, mark: head.mark),
                ChangePosition(run: head.run, seq: head.seq - 1, mark: head.mark),
                ChangePosition(run: head.run + 1, seq: head.seq, mark: head.mark),
                ChangePosition(run: .max, seq: .max, mark: .max),
            ] {
                #expect(try await isKnown(place) == false, "\(place)")
                #expect(try await isKnown(place, in: [.hall]) == false, "\(place)")
            }
            // The database is set back to before the last run, and goes on.
            try await store.client.script(
                """
                DELETE FROM change_runs WHERE position = \(head.run);
                UPDATE change_feed SET head = head - 1
                """)
            #expect(try await isKnown(head) == false)
            try await store.appendAll()
            #expect(try await store.changes.bounds().head.run == head.run)
            #expect(try await isKnown(head) == false)
        }
    }

    @Test func `an empty feed begins and ends at the same place`() async throws {
        try await withStore { store in
            let (begin, head) = try await store.changes.bounds()
            #expect(begin == head)
            #expect(
                try await store.changes.runs(after: begin, in: nil, limit: 5)
                    == .init(runs: [], isFull: false, head: begin))
            #expect(try await store.changes.head() == 0)
        }
    }

    @Test func `a window is cut to a number of events, within a run, too`() {
        let runs = [
            ChangeRun(position: 4, roomID: .hall, seqs: 0...9, mark: 1),
            ChangeRun(position: 5, roomID: .attic, seqs: 3...3, mark: 1),
            ChangeRun(position: 6, roomID: .hall, seqs: 10...19, mark: 2),
        ]
        func window(after seq: Seq, limit: Int) -> [ClosedRange<Seq>] {
            ChangeWindow(of: runs, after: runs[0].position(at: seq), limit: limit).runs.map(\.seqs)
        }
        #expect(window(after: 2, limit: 3) == [3...5])
        #expect(window(after: 2, limit: 7) == [3...9])
        #expect(window(after: 2, limit: 9) == [3...9, 3...3, 10...10])
        #expect(window(after: 9, limit: 100) == [3...3, 10...19])
        #expect(ChangeWindow(of: runs, after: runs[2].position(at: 19), limit: 5).end == nil)
        let begin = ChangePosition(run: 0, seq: 0, mark: 9)
        #expect(ChangeWindow(of: runs, after: begin, limit: 1).end == runs[0].position(at: 0))
    }
}
