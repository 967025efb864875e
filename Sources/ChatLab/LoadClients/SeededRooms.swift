import ChatLocalStack

/// Rooms, members and messages that are written into the database of a private stack: thousands by REST would take longer
/// than what is measured with them.
struct SeededRooms: Sendable {
    let postgres: LocalPostgres
    /// Begins the rooms' ids, which are numbered from 0 on.
    let prefix: String
    let count: Int

    func name(_ number: Int) -> String { "\(prefix)-\(number)" }

    var names: [String] { (0..<count).map(name) }

    /// Makes the rooms, public and without an event. Their names pass for indexed ones, so that no server begins to index
    /// thousands of them beside what is measured.
    func make() async throws {
        try await postgres.run(
            sql: """
                INSERT INTO rooms (room_id, name, indexed_name, type)
                SELECT '\(prefix)-' || number, '\(prefix) ' || number, '\(prefix) ' || number, 'public'
                FROM generate_series(0, \(count - 1)) number
                """)
    }

    /// Makes `users` users, from `firstUserID` on, members of `roomsOfUser` rooms each, evenly spread.
    func addMembers(firstUserID: Int, users: Int, roomsOfUser: Int) async throws {
        try await postgres.run(
            sql: """
                INSERT INTO room_members (room_id, user_id, role)
                SELECT '\(prefix)-' || ((number * \(roomsOfUser) + room) % \(count)), \(firstUserID) + number, 'member'
                FROM generate_series(0, \(users - 1)) number, generate_series(0, \(roomsOfUser - 1)) room;
                UPDATE rooms SET member_count = members.count
                FROM (SELECT room_id, count(*) FROM room_members GROUP BY room_id) members
                WHERE rooms.room_id = members.room_id AND rooms.room_id LIKE '\(prefix)-%'
                """)
    }

    /// Appends `each` messages of user 1 to each of these rooms. Each has a `mark` in its payload: its room and its `seq`.
    func addMessages(_ each: Int, inRooms rooms: Range<Int>) async throws {
        guard each > 0, !rooms.isEmpty else { return }
        try await postgres.run(
            sql: """
                WITH changed AS (
                    UPDATE rooms SET last_seq = last_seq + \(each), active_at = now()
                    WHERE room_id IN (SELECT '\(prefix)-' || number
                        FROM generate_series(\(rooms.lowerBound), \(rooms.upperBound - 1)) number)
                    RETURNING room_id, last_seq - \(each) AS head
                )
                INSERT INTO messages (room_id, seq, sender_id, type, content, sent_at)
                SELECT room_id, head + number, 1, 'text',
                    '{"mark":"' || room_id || '-' || head + number || '","text":"The quick brown fox"}', now()
                FROM changed, generate_series(1, \(each)) number ORDER BY 1, 2
                """)
    }
}
