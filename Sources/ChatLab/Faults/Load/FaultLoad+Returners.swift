import ChatLocalStack
import NIOCore

/// Users with rooms of their own, whose sockets are away while much happens in some of those rooms.
extension FaultLoad {
    private static let firstReturnerID = 5001

    /// Makes their rooms, with a message in each, and connects their sockets.
    /// - Throws: `LocalStackError` if they are not live within 120 s.
    func connectReturners(in postgres: LocalPostgres) async throws {
        let rooms = SeededRooms(postgres: postgres, prefix: "\(name)-own", count: shape.roomsOfReturners)
        try await rooms.make()
        try await rooms.addMembers(
            firstUserID: Self.firstReturnerID, users: shape.returners, roomsOfUser: shape.roomsOfReturners)
        try await addMessages(1, rooms, 0..<rooms.count, after: 0)
        let (shape, eventLoop, names) = (shape, eventLoop, rooms.names)
        try await onBoard { board in
            board.roomsOfReturners = names
            for number in 0..<shape.returners {
                let reader = FaultUserReader(
                    userID: Self.firstReturnerID + number, port: nil, readEvery: 0, board: board, eventLoop: eventLoop)
                board.returners.append(reader)
                reader.connect()
            }
        }
        try await waitForReturners("connected")
    }

    func sendReturnersAway() async throws {
        try await onBoard { board in
            for reader in board.returners { reader.goAway() }
        }
    }

    /// Appends the events that they miss.
    /// - Returns: how many.
    func appendMissedEvents(in postgres: LocalPostgres) async throws -> Int {
        let rooms = SeededRooms(postgres: postgres, prefix: "\(name)-own", count: shape.roomsOfReturners)
        let each = shape.missedEvents / max(1, shape.changedRooms)
        try await addMessages(each, rooms, 0..<shape.changedRooms, after: 1)
        return each * shape.changedRooms
    }

    /// All come back at once.
    /// - Throws: `LocalStackError` if they are not live within 120 s.
    func bringReturnersBack() async throws {
        try await onBoard { board in
            for reader in board.returners { reader.comeBack() }
        }
        try await waitForReturners("back")
    }

    private func waitForReturners(_ what: String) async throws {
        let areLive = try await wait(atMost: .seconds(120)) { board in
            board.returners.allSatisfy { $0.isLive(in: board.roomsOfReturners) }
        }
        guard areLive else {
            throw LocalStackError("Not all user sockets were \(what) in their own rooms within 120 s")
        }
    }

    /// Appends messages, which are in the history as ones without an answer.
    private func addMessages(_ each: Int, _ rooms: SeededRooms, _ range: Range<Int>, after head: Int) async throws {
        let now = NIODeadline.now().uptimeNanoseconds
        try await onBoard { board in
            for room in range.lazy.map(rooms.name) {
                for seq in (head + 1)...(head + each) {
                    board.posts.append(
                        .init(mark: "\(room)-\(seq)", room: room, writer: 0, isKeyed: false, firstSent: now))
                }
            }
        }
        try await rooms.addMessages(each, inRooms: range)
    }
}
