import ChatEvents
import CommonUtil
import PostgresClient
import Testing

@testable import ChatStorage

@Suite(.timeLimit(.minutes(2))) struct RoomReadingTests {
    @Test func `messages, events and members are for those who may see the room`() async throws {
        try await withStore { store in
            try await store.makeRoom(.hall, .group, members: [ann, bob])
            try await store.makeRoom(.attic, .public, members: [ann])
            let hidden = try await withWriter(store.client) { writer in
                let hidden = try await writer.mustStore(draft("in the hall"))
                try await writer.mustStore(draft("in the attic", in: .attic))
                return hidden
            }
            func readings(
                _ roomID: RoomID, _ userID: UserID
            ) async throws -> (RoomReading<Message>, RoomReading<RoomEvent>, RoomReading<RoomMember>) {
                (
                    try await store.messages.history(of: roomID, for: userID, before: nil, after: nil, limit: 9),
                    try await store.log.rows(of: roomID, for: userID, after: 0, limit: 9),
                    try await store.rooms.members(of: roomID, for: userID, after: nil, limit: 9)
                )
            }
            for (roomID, userID, memberCount) in [(RoomID.hall, bob, 2), (.attic, cid, 1)] {
                let (messages, events, members) = try await readings(roomID, userID)
                #expect(messages.items?.count == 1)
                #expect(events.items?.map(\.seq) == [1])
                #expect(members.items?.count == memberCount)
            }
            #expect(try await readings(.hall, cid) == (.hidden, .hidden, .hidden))
            #expect(try await readings(.cellar, ann) == (.noRoom, .noRoom, .noRoom))
            // Nothing there is not the same as nothing to see.
            #expect(try await store.log.rows(of: .hall, for: ann, after: 2, limit: 9) == .items([]))
            #expect(
                try await store.messages.history(of: .hall, for: ann, before: 1, after: nil, limit: 9) == .items([]))
            #expect(try await store.messages.message(hidden.messageID, for: bob) == hidden)
            #expect(try await store.messages.message(hidden.messageID, for: cid) == nil)
        }
    }

    @Test func `an unknown role is an error, not a non-member`() async throws {
        try await withStore { store in
            try await store.makeRoom(members: [ann, bob])
            try await store.client.script(
                """
                ALTER TABLE room_members DROP CONSTRAINT room_members_role_check;
                UPDATE room_members SET role = 'king' WHERE user_id = \(bob)
                """)
            await #expect(throws: PostgresError.self) { try await store.rooms.access(to: .hall, of: bob) }
            await #expect(throws: PostgresError.self) {
                try await store.rooms.admissions([RoomAccessQuery(roomID: .hall, userID: bob)])
            }
            #expect(try await store.rooms.access(to: .hall, of: ann)?.role == .owner)
            #expect(try await store.rooms.access(to: .hall, of: cid)?.role == nil)
        }
    }

    @Test func `an unknown verdict is an error of its post alone`() async throws {
        try await withStore { store in
            let rows = try await store.client.query(
                PostgresStatement(
                    """
                    SELECT * FROM (VALUES
                        (0, 'stored', 1::bigint, 1::bigint, now(), NULL::bigint),
                        (1, 'perhaps', NULL, NULL, now(), NULL),
                        (2, 'room_archived', NULL, NULL, now(), NULL)
                    ) AS answers
                    """), [])
            let outcomes = try BatchOutcomes(rows, of: (0..<4).map { draft("\($0)") })
            #expect(outcomes.posted.map(\.message.contentJSON) == [#"{"text":"0"}"#])
            let results = outcomes.outcomes.map { $0.flatMap { try? $0.get() } }
            #expect(results[0]?.stored != nil)
            #expect(results[2] == .refused(.roomArchived))
            for index in [1, 3] {
                #expect(throws: PostgresError.self) { try #require(outcomes.outcomes[index]).get() }
            }
        }
    }
}
