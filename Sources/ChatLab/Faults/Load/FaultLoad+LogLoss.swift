import ChatLocalStack
import NIOCore

/// PostgreSQL loses the end of its logs.
extension FaultLoad {
    /// Is in a room only in the part of the log that is lost.
    private static let latecomerUserID = 9100

    /// From here on sessions may be closed with 4409.
    func expectLogLoss() async throws {
        try await onBoard { $0.expectsLogLoss = true }
    }

    /// Notes what PostgreSQL kept, and who has more than that.
    /// - Returns: how many logs at sessions that is.
    func noteLogLoss(_ loss: History.LogLoss) async throws -> Int {
        try await onBoard { board in
            board.noteLogLoss(loss)
            return board.uninformed
        }
    }

    /// How many logs at sessions have events beyond these heads, or had until they were informed.
    func logsBeyond(_ heads: [String: Int]) async throws -> Int {
        try await onBoard { board in
            let sessions = board.readers.map(\.session) + board.userSockets.flatMap(\.record.sessions)
            return sessions.count { session in
                let all = session.sightings + session.abandoned.flatMap(\.sightings)
                return all.contains { $0.seq > heads[session.room] ?? 0 }
            }
        }
    }

    /// Waits until a message beyond these heads is acknowledged in every room.
    /// - Throws: `LocalStackError` if one has none in time.
    func waitUntilPosted(beyond heads: [String: Int], since begin: UInt64, within time: Duration) async throws {
        let rooms = rooms
        let areBeyond = try await wait(atMost: time) { board in
            var short = heads.filter { rooms.contains($0.key) }
            for post in board.posts.reversed() {
                guard post.firstSent >= begin, !short.isEmpty else { break }
                guard case .acknowledged(let answer) = post.outcome, let head = short[post.room], answer.seq > head
                else {
                    continue
                }
                short[post.room] = nil
            }
            return short.isEmpty
        }
        guard areBeyond else {
            throw LocalStackError("Not every room had a message beyond the lost ones within \(time)")
        }
    }

    /// Waits until every session that had lost events was informed that its log is another one.
    /// - Returns: how many logs at sessions were not in time.
    func waitUntilInformed(within time: Duration) async throws -> Int {
        _ = try await wait(atMost: time) { $0.uninformed == 0 }
        return try await onBoard { $0.uninformed }
    }

    /// How many messages were acknowledged between two times, and how many of them PostgreSQL lost.
    func acknowledged(between begin: UInt64, and end: UInt64) async throws -> (all: Int, lost: Int) {
        try await onBoard { board in
            var counts = (all: 0, lost: 0)
            for post in board.posts {
                guard case .acknowledged(let answer) = post.outcome, (begin..<end).contains(answer.at) else { continue }
                counts.all += 1
                if board.logLoss?.keeps(answer.seq, in: post.room) == false { counts.lost += 1 }
            }
            return counts
        }
    }

    /// How many messages this server acknowledged between two times.
    func acknowledged(by port: Int, between times: ClosedRange<NIODeadline>) async throws -> Int {
        try await onBoard { board in
            board.posts.count { post in
                guard case .acknowledged(let answer) = post.outcome, answer.server == port else { return false }
                return times.contains(.uptimeNanoseconds(answer.at))
            }
        }
    }

    // MARK: Memberships that are lost

    /// Has a user come into a room whose user socket is open, and one of the users who stay leave another: both are to be
    /// undone with the log.
    /// - Throws: `LocalStackError` if their sockets do not report it within 10 s.
    func changeMemberships() async throws {
        let eventLoop = eventLoop
        guard let room = rooms.first, let other = rooms.last, shape.userSockets > 0 else { return }
        try await onBoard { board in
            let latecomer = FaultUserReader(
                userID: Self.latecomerUserID, port: nil, readEvery: 0, board: board, eventLoop: eventLoop)
            board.visitors.append(latecomer)
            latecomer.connect()
        }
        _ = try await wait(atMost: .seconds(10)) { $0.areUserSocketsLive }
        guard try await call(.join, in: room, as: Self.latecomerUserID),
            try await call(.leave, in: other, as: FaultUserReader.firstUserID)
        else { throw LocalStackError("The system server did not change the members of \(room) and \(other)") }
        let areInformed = try await wait(atMost: .seconds(10)) { board in
            board.visitors.contains { $0.isLive(in: [room]) } && board.userReaders.first?.state.places[other] == nil
        }
        guard areInformed else { throw LocalStackError("User sockets did not report changed members within 10 s") }
    }

    /// Waits until those two know that nothing of it is so.
    /// - Returns: how many do not.
    func waitUntilMembershipsAreSetBack(within time: Duration) async throws -> Int {
        guard shape.userSockets > 0 else { return 0 }
        let rooms = rooms
        let wrong: @Sendable (LoadBoard) -> Int = { board in
            board.visitors.count { !$0.state.places.isEmpty }
                + (board.userReaders.first?.isLive(in: rooms) == true ? 0 : 1)
        }
        _ = try await wait(atMost: time) { wrong($0) == 0 }
        return try await onBoard { wrong($0) }
    }
}
