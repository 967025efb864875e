import ChatEvents
import CommonUtil
import PostgresClient
import Testing

@testable import ChatStorage

@Suite(.timeLimit(.minutes(2))) struct ChangeSequenceTests {
    @Test func `a room is appended with its creation, and then from where it was left`() async throws {
        try await withStore { store in
            try await store.makeRoom(members: [bob, ann])
            #expect(try await store.appendAll() == 1)
            try await withWriter(store.client) { writer in
                for number in 1...3 { try await writer.mustStore(draft("\(number)")) }
                #expect(try await store.appendAll() == 2)
                try await writer.mustStore(draft("4"))
                #expect(try await store.appendAll() == 3)
            }
            let items = try await store.readChanges()
            #expect(items.map(\.name) == ["hall/0", "hall/1", "hall/2", "hall/3", "hall/4"])
            #expect(items.map(\.position.run) == [1, 2, 2, 2, 3])
            guard case .roomCreated(let room) = items[0].change else { return #expect(Bool(false), "\(items[0])") }
            #expect(room.name == "hall" && room.type == "group" && room.actorID == bob && room.memberCount == 2)
            #expect(room.members == [.init(userID: ann, role: .member), .init(userID: bob, role: .owner)])
            let createdAt = try await store.rooms.room(.hall)?.createdAt
            #expect(room.at == createdAt)
        }
    }

    @Test func `nothing is appended twice, and nothing without the lease`() async throws {
        try await withStore { store in
            try await store.makeRoom()
            #expect(try await store.sequence.append([.hall], holder: 1, extendingBy: .seconds(1)) == nil)
            #expect(try await store.appendAll() == 1)
            #expect(try await store.sequence.append([.hall], holder: 1, extendingBy: .seconds(1)) == nil)
            #expect(try await store.sequence.pending(of: [.hall, .attic]) == [])
            try await store.makeRoom(.attic)
            #expect(try await store.sequence.pending(of: [.hall, .attic]) == [.attic])
            #expect(try await store.sequence.append([.attic], holder: 2, extendingBy: .seconds(1)) == nil)
            // A room that is named twice is appended once; one that is not there is passed over.
            let named: [RoomID] = [.attic, .attic, .cellar]
            #expect(try await store.sequence.append(named, holder: 1, extendingBy: .seconds(1)) == 2)
            #expect(try await store.client.number("SELECT count(*) FROM change_runs") == 2)
        }
    }

    @Test func `the lease is held by one, until it runs out or is given up`() async throws {
        try await withStore { store in
            let sequence = store.sequence
            #expect(try await sequence.acquire(1, for: .seconds(60)))
            #expect(try await sequence.acquire(1, for: .seconds(60)))
            #expect(try await sequence.acquire(2, for: .seconds(60)) == false)
            // Only the holder gives it up.
            try await sequence.release(2)
            #expect(try await sequence.acquire(2, for: .seconds(60)) == false)
            try await sequence.release(1)
            #expect(try await sequence.acquire(2, for: .microseconds(1)))
            #expect(try await sequence.acquire(3, for: .seconds(60)))
            #expect(try await sequence.acquire(2, for: .seconds(60)) == false)
        }
    }

    @Test func `a holder that was suspended appends nothing once another one has taken over`() async throws {
        try await withStore { store in
            try await store.makeRoom()
            #expect(try await store.sequence.acquire(1, for: .microseconds(1)))
            // What the first one had found before it was suspended.
            let pending = try await store.sequence.pending(of: [.hall])
            #expect(try await store.sequence.acquire(2, for: .seconds(60)))
            #expect(try await store.sequence.append(pending, holder: 1, extendingBy: .seconds(60)) == nil)
            #expect(try await store.sequence.append(pending, holder: 2, extendingBy: .seconds(60)) == 1)
        }
    }

    @Test func `an append that waits for another server's transaction does not repeat what that one has appended`()
        async throws
    {
        try await withStore { store in
            try await store.makeRoom()
            #expect(try await store.sequence.acquire(1, for: .seconds(60)))
            let second = try await store.client.withTransaction { transaction in
                _ = try await transaction.query(ChangeSequenceRepository.lock, .int8(1))
                // The same server by another connection, as after a lost response.
                let second = Task { try await store.sequence.append([.hall], holder: 1, extendingBy: .seconds(60)) }
                try await store.client.waitForBlockedSessions(1)
                let rows = try await transaction.query(
                    ChangeSequenceRepository.append, .int8(1), .textArray(["hall"]), .int8(7), .int8(60_000_000))
                #expect(rows.count == 1)
                return second
            }
            #expect(try await second.value == nil)
            #expect(try await store.client.number("SELECT count(*) FROM change_runs") == 1)
        }
    }

    @Test func `events of a transaction that is not committed are not appended, and nothing waits for it`() async throws
    {
        try await withStore { store in
            try await store.makeRoom()
            try await store.makeRoom(.attic)
            try await store.appendAll()
            try await withWriter(store.client) { writer in
                try await writer.mustStore(draft("1"))
                try await store.client.withTransaction { transaction in
                    // Holds the room and has an event that is not committed.
                    _ = try await transaction.query("UPDATE rooms SET last_seq = last_seq + 1 WHERE room_id = 'hall'")
                    try await writer.mustStore(draft("other", in: .attic))
                    try await store.appendAll()
                    #expect(
                        try await store.readChanges().map(\.name).sorted() == [
                            "attic/0", "attic/1", "hall/0", "hall/1",
                        ])
                    _ = try await transaction.query("UPDATE rooms SET last_seq = last_seq - 1 WHERE room_id = 'hall'")
                }
            }
        }
    }

    @Test func `all rooms are looked through in parts`() async throws {
        try await withStore { store in
            for number in 1...7 { try await store.makeRoom(RoomID(verified: "room\(number)")) }
            var seen: [String] = []
            var last: RoomID?
            var parts = 0
            repeat {
                let part = try await store.sequence.pending(after: last, limit: 3)
                seen += part.pending.map(\.rawValue)
                last = part.last
                parts += 1
            } while last != nil
            #expect(seen == (1...7).map { "room\($0)" })
            #expect(parts == 3)
            try await store.appendAll()
            #expect(try await store.sequence.pending(after: nil, limit: 100) == .init(last: nil, pending: []))
        }
    }

    @Test func `a creation has the first thousand members, and any name`() async throws {
        try await withStore { store in
            let name = "\"\\ \u{1} 한국 👩‍👩‍👧"
            try await store.makeRoom(name: name, members: (1...1_003).map { UserID($0) })
            try await store.appendAll()
            guard case .roomCreated(let room)? = try await store.readChanges().first?.change else {
                return #expect(Bool(false), "no creation")
            }
            #expect(room.name == name)
            #expect(room.memberCount == 1_003)
            #expect(room.members.map(\.userID.rawValue) == Array(1...1_000))
        }
    }
}
