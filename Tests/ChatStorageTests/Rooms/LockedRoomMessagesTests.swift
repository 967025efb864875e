import ChatEvents
import ChatStorage
import CommonUtil
import PostgresClient
import Testing

@Suite(.timeLimit(.minutes(2))) struct LockedRoomMessagesTests {
    @Test func `an edit and a deletion are events, and the log shows the row`() async throws {
        try await withStore { store in
            try await store.makeRoom()
            let (first, second) = try await withWriter(store.client) { writer in
                (
                    try await writer.mustStore(draft("first", key: "k")),
                    try await writer.mustStore(draft("second", by: bob))
                )
            }
            let changed = try await store.rooms.withLockedRoom(.hall) { room async throws in
                #expect(try await room.message(first.messageID) == first)
                let edited = try await room.edit(first, to: #"{"text":"new"}"#, by: ann)
                #expect(try await room.message(first.messageID) == edited)
                try await room.delete(second, by: ann)
                return (now: room.now, edited: edited, tombstone: try await room.message(second.messageID))
            }
            let outcome = try #require(changed)
            let (now, edited) = (outcome.result.now, outcome.result.edited)
            #expect(edited.contentJSON == #"{"text":"new"}"#)
            #expect(edited.isEdited && !edited.isDeleted)
            #expect(edited.updatedAt == now)
            #expect((edited.seq, edited.sentAt) == (first.seq, first.sentAt))
            #expect(edited.clientMessageID == "k")
            let tombstone = try #require(outcome.result.tombstone)
            #expect(tombstone.contentJSON == "{}")
            #expect(tombstone.isDeleted && !tombstone.isEdited)
            #expect(tombstone.updatedAt == now)

            #expect(
                outcome.events == [
                    RoomEvent(roomID: .hall, seq: 3, change: .messageEdited(edited, by: ann, at: now)),
                    RoomEvent(roomID: .hall, seq: 4, change: .messageDeleted(tombstone, by: ann, at: now)),
                ])
            let log = try await store.log.events(of: .hall, after: 0, limit: 10).events
            #expect(log.map(\.seq) == [1, 2, 3, 4])
            #expect(log.compactMap(\.message) == [edited, tombstone, edited, tombstone])
            #expect(try await store.rooms.room(.hall)?.lastSeq == 4)
            // Nothing of what was said before is left in any table, and the log knows who did it.
            #expect(
                try await store.client.number("SELECT count(*) FROM messages WHERE content ~ 'first|second'") == 0)
            #expect(try await store.client.number("SELECT actor_id FROM room_events WHERE seq = 4") == 1)
        }
    }

    @Test func `a message is looked for in its own room only`() async throws {
        try await withStore { store in
            try await store.makeRoom(.hall)
            try await store.makeRoom(.attic)
            let message = try await withWriter(store.client) { try await $0.mustStore(draft(in: .hall)) }
            let found = try await store.rooms.withLockedRoom(.attic) { try await $0.message(message.messageID) }
            #expect(try #require(found).result == nil)
        }
    }

    @Test func `neither moves the room up in a list, nor makes anything unread`() async throws {
        try await withStore { store in
            try await store.makeRoom(.hall)
            try await store.makeRoom(.attic)
            let messages = try await withWriter(store.client) { writer in
                [
                    try await writer.mustStore(draft(by: bob, in: .hall)),
                    try await writer.mustStore(draft(by: bob, in: .hall)),
                    try await writer.mustStore(draft(by: bob, in: .attic)),
                ]
            }
            _ = try await store.marks.mark(.hall, by: ann, upTo: 1)
            try await store.edit(messages[0], to: "x")
            let edited = try await store.rooms.rooms(of: ann, after: nil, limit: 10)
            #expect(edited.map(\.room.roomID) == [.attic, .hall])
            #expect(edited.map(\.unreadCount) == [1, 1])
            // The newest message of a room stays that when it is deleted: a tombstone.
            try await store.delete(messages[1])
            let deleted = try await store.rooms.rooms(of: ann, after: nil, limit: 10)
            #expect(deleted.map(\.room.roomID) == [.attic, .hall])
            #expect(deleted.map(\.unreadCount) == [1, 0])
            #expect(deleted[1].lastMessage?.isDeleted == true)
            #expect(deleted[1].lastMessage?.contentJSON == "{}")
        }
    }

    @Test func `posts, edits and deletions at once stand in one order without a gap`() async throws {
        try await withStore { store in
            try await store.makeRoom()
            try await withWriter(store.client) { writer in
                let messages = try await withThrowingTaskGroup(of: Message.self) { group in
                    for number in 0..<20 { group.addTask { try await writer.mustStore(draft("\(number)")) } }
                    return try await group.reduce(into: []) { $0.append($1) }
                }
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for (number, message) in messages.enumerated() {
                        group.addTask { try await store.edit(message, to: "edited \(number)") }
                        group.addTask { try await writer.mustStore(draft("more", by: bob)) }
                        if number.isMultiple(of: 2) { group.addTask { try await store.delete(message) } }
                    }
                    try await group.waitForAll()
                }
            }
            let events = try await store.log.events(of: .hall, after: 0, limit: 100).events
            #expect(events.map(\.seq) == Array(1...70))
            #expect(events.count { $0.change.type == .messageEdited } == 20)
            #expect(events.count { $0.change.type == .messageDeleted } == 10)
            #expect(try await store.rooms.room(.hall)?.lastSeq == 70)
        }
    }

    @Test func `a reply that waits while its target is deleted is not stored`() async throws {
        try await withStore { store in
            try await store.makeRoom()
            try await withWriter(store.client) { writer in
                let target = try await writer.mustStore(draft())
                let outcome = try #require(
                    try await store.rooms.withLockedRoom(.hall) { room async throws in
                        let reply = Task { try await writer.post(draft(by: bob, replyTo: target.messageID)) }
                        try await store.client.waitForBlockedSessions(1)
                        try await room.delete(target, by: ann)
                        return reply
                    })
                #expect(try await outcome.result.value == .refused(.replyNotFound))
                #expect(try await writer.mustStore(draft()).seq == 3)
            }
        }
    }
}
