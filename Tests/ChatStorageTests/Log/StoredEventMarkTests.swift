import ChatEvents
import CommonUtil
import PostgresClient
import Testing

@testable import ChatStorage

/// Marks of events as they are published, and as they are read from PostgreSQL.
@Suite(.timeLimit(.minutes(2))) struct StoredEventMarkTests {
    /// A room with an event of each kind, and the events as they were published.
    private func withEvents(_ body: (Store, [RoomEvent]) async throws -> Void) async throws {
        try await withStore { store in
            try await store.makeRoom(.hall, .public)
            var published: [RoomEvent] = []
            func change(_ body: @escaping @Sendable (inout LockedRoom) async throws -> Void) async throws {
                published += try #require(try await store.rooms.withLockedRoom(.hall, body)).events
            }
            let messages = try await withWriter(store.client) { writer in
                [try await writer.mustStore(draft("first")), try await writer.mustStore(draft("second", key: "k"))]
            }
            published += messages.map(\.event)
            try await change { try await $0.join(cid, as: .member, by: ann) }
            try await change { try await $0.setRole(.admin, of: cid, by: ann) }
            try await change { _ = try await $0.edit(messages[0], to: #"{"text":"other"}"#, by: ann) }
            try await change { try await $0.delete(messages[1], by: cid) }
            try await change { try await $0.leave(cid, by: cid) }
            try await change { try await $0.rename(to: "Room", by: ann) }
            try await change { try await $0.archive(by: ann) }
            #expect(Set(published.map(\.change.type)).count == 8)
            try await body(store, published)
        }
    }

    @Test func `an event has the same mark as it is published and in the log, whatever became of its message`()
        async throws
    {
        try await withEvents { store, published async throws in
            let log = try await store.log.events(of: .hall, after: 0, limit: 100)
            #expect(log.mark == nil)
            #expect(log.events.map(\.mark) == published.map(\.mark))
            // What is not about the two messages is the same text.
            for (live, stored) in zip(published, log.events) where live.change.message == nil {
                #expect(live.jsonBytes == stored.jsonBytes)
            }
            let positions = try await store.log.positions(at: published.map { (.hall, $0.seq) })
            #expect(positions.map { $0?.mark } == published.map(\.mark))
        }
    }

    @Test func `a page comes with the mark of the event that it was read after`() async throws {
        try await withEvents { store, published async throws in
            for (index, event) in published.enumerated() {
                for limit in [1, 3, 100] {
                    let page = try await store.log.events(of: .hall, after: event.seq, limit: limit)
                    #expect(page.mark == event.mark)
                    #expect(page.events.map(\.seq) == published.dropFirst(index + 1).prefix(limit).map(\.seq))
                    #expect(page.hasMore == (published.count > index + 1 + limit))
                }
            }
            let beyond = try await store.log.events(of: .hall, after: 10, limit: 5)
            #expect(beyond == LogPage(rows: [], after: 10, limit: 5))
            #expect(beyond.mark == nil)
        }
    }

    @Test func `positions are answered in order, also of rooms and events that are not there`() async throws {
        try await withEvents { store, published async throws in
            try await store.makeRoom(.attic)
            let last = published.count
            let positions = try await store.log.positions(at: [
                (.cellar, 3), (.hall, 2), (.attic, 0), (.hall, Seq(last)), (.hall, Seq(last) + 1), (.hall, 0),
                (.attic, 4), (.hall, 2),
            ])
            func hall(_ mark: EventMark?) -> LogPosition {
                LogPosition(head: Seq(last), headMark: published[last - 1].mark, mark: mark)
            }
            let empty = LogPosition(head: 0, headMark: nil, mark: nil)
            #expect(
                positions == [
                    nil, hall(published[1].mark), empty, hall(published[last - 1].mark), hall(nil), hall(nil), empty,
                    hall(published[1].mark),
                ])
            #expect(try await store.log.positions(at: []).isEmpty)
        }
    }

    @Test func `a room has the mark of its last event`() async throws {
        try await withStore { store in
            #expect(try await store.makeRoom(.hall, .public, name: "Hall").mark == nil)
            func expect(_ mark: EventMark?) async throws {
                #expect(try await store.rooms.room(.hall)?.mark == mark)
                #expect(try await store.rooms.access(to: .hall, of: ann)?.room.mark == mark)
                #expect(try await store.rooms.rooms(of: ann, after: nil, limit: 5).map(\.room.mark) == [mark])
                #expect(try await store.rooms.publicRooms(after: nil, limit: 5).map(\.mark) == [mark])
                #expect(
                    try await store.rooms.publicRooms(finding: "ha", after: nil, limit: 5).map(\.item.mark) == [mark])
                let admission = try await store.rooms.admissions([RoomAccessQuery(roomID: .hall, userID: ann)])
                #expect(admission.map { $0?.access.room.mark } == [mark])
                // As it is under the lock, and after a change.
                #expect(try await store.rooms.withLockedRoom(.hall) { $0.room.mark }?.result == mark)
            }
            try await expect(nil)
            let message = try await withWriter(store.client) { try await $0.mustStore(draft()) }
            try await expect(message.mark)
            try await store.edit(message, to: "other")
            let changed = try #require(
                try await store.rooms.withLockedRoom(.hall) { room async throws in
                    try await room.join(cid, as: .member, by: ann)
                    return room.room
                })
            #expect(changed.result.mark == changed.events.last?.mark)
            try await expect(changed.events.last?.mark)
        }
    }

    @Test func `a room that is locked after waiting has the mark of the event it waited for`() async throws {
        try await withStore { store in
            try await store.makeRoom()
            let changed = try #require(
                try await store.rooms.withLockedRoom(.hall) { room async throws in
                    let waiting = Task { try await store.rooms.withLockedRoom(.hall) { $0.room } }
                    try await store.client.waitForBlockedSessions(1)
                    try await room.join(cid, as: .member, by: ann)
                    return waiting
                })
            let later = try #require(try await changed.result.value).result
            #expect(later.lastSeq == 1)
            #expect(later.mark != nil)
            #expect(later.mark == changed.events.last?.mark)
        }
    }

    @Test func `an admission comes with the marks that were asked for`() async throws {
        try await withEvents { store, published async throws in
            let last = Seq(published.count)
            func marks(_ lastSeq: Seq?, _ position: Seq?) async throws -> [EventMark?] {
                let inquiry = RoomAccessQuery(roomID: .hall, userID: ann, lastSeq: lastSeq, position: position)
                let admission = try #require(try await store.rooms.admissions([inquiry])[0])
                #expect(admission.access.room.lastSeq == last)
                return [admission.lastMark, admission.positionMark]
            }
            #expect(try await marks(nil, nil) == [nil, nil])
            #expect(try await marks(0, 0) == [nil, nil])
            #expect(try await marks(2, last) == [published[1].mark, published.last?.mark])
            #expect(try await marks(last, 3) == [published.last?.mark, published[2].mark])
            #expect(try await marks(last + 1, nil) == [nil, nil])
        }
    }

    @Test(arguments: ["force_generic_plan", "force_custom_plan"])
    func `no plan of a statement that reads marks scans a table`(mode: String) async throws {
        try await withStore { store in
            try await store.client.script(
                """
                INSERT INTO messages (room_id, seq, sender_id, type, content, sent_at)
                SELECT 'r' || seq % 100, seq, 1, 'text', '{}', now() FROM generate_series(1, 10000) AS seq;
                INSERT INTO room_events (room_id, seq, type, actor_id, at)
                SELECT 'r' || seq % 100, seq, 'room_updated', 1, now() FROM generate_series(1, 10000) AS seq;
                INSERT INTO rooms (room_id, name, type) SELECT 'r' || n, 'n', 'public' FROM generate_series(1, 3000) AS n;
                ANALYZE
                """)
            let plan = try await store.client.withConnection { session in
                try await session.execute(script: "SET plan_cache_mode = \(mode); SET enable_seqscan = on")
                return try await session.query(
                    PostgresStatement("EXPLAIN " + EventLog.selectPositions.sql), .textArray(["r1", "r2"]),
                    .int8Array([1, 2])
                ).map { try $0.decode(column: 0, as: String.self) }.joined(separator: "\n")
            }
            #expect(!plan.contains("Seq Scan"), "\(plan)")
        }
    }
}
