import ChatLocalStack
import NIOCore

/// The writers and readers of one run. All are on one event loop, so no lock is needed and both ends of a delivery read
/// the same clock.
final class FaultLoad: Sendable {
    let shape: LoadShape
    let name: String
    let rooms: [String]
    let eventLoop: any EventLoop
    let board: NIOLoopBoundBox<LoadBoard>

    /// - Parameter name: begins the names of its rooms and messages.
    init(_ shape: LoadShape, name: String, stack: LocalStack, on eventLoop: any EventLoop) {
        self.shape = shape
        self.name = name
        self.eventLoop = eventLoop
        let rooms = (1...max(1, shape.rooms)).map { "\(name)-\($0)" }
        self.rooms = rooms
        board = .makeBoxSendingValue(
            LoadBoard(
                rooms: rooms, messagePorts: stack.messageServers.map(\.port),
                webSocketPorts: stack.webSocketServers.map(\.port), systemPorts: [stack.systemServer.port],
                checksMarks: shape.checksMarks),
            eventLoop: eventLoop)
    }

    func onBoard<Result: Sendable>(
        _ body: @escaping @Sendable (LoadBoard) throws -> Result
    ) async throws -> Result {
        let board = board
        return try await eventLoop.submit { try body(board.value) }.get()
    }

    func wait(
        atMost time: Duration, until isOver: @escaping @Sendable (LoadBoard) -> Bool
    ) async throws -> Bool {
        let (board, eventLoop) = (board, eventLoop)
        return try await eventLoop.flatSubmit {
            let value = board.value
            return value.wait(atMost: TimeAmount(time), on: eventLoop) { isOver(value) }
        }.get()
    }

    // MARK: The run

    /// Connects all sessions of one room, which makes the rooms.
    /// - Throws: `LocalStackError` if one of them has no `ready` within 30 s.
    func connect() async throws {
        let (shape, rooms, eventLoop) = (shape, rooms, eventLoop)
        try await onBoard { board in
            for number in 0..<shape.sessions {
                let reader = FaultReader(
                    number: number, room: rooms[number % rooms.count],
                    port: shape.usesOneWebSocketServer ? board.webSocketPorts.first : nil,
                    readEvery: shape.readEvery,
                    isStream: shape.streamEvery > 0 && number % shape.streamEvery == shape.streamEvery - 1,
                    board: board, eventLoop: eventLoop)
                board.readers.append(reader)
                reader.connect()
            }
        }
        guard try await wait(atMost: .seconds(30), until: { $0.haveAllReadersJoined }) else {
            throw LocalStackError("Not all \(shape.sessions) sessions got into their rooms within 30 s")
        }
    }

    /// Connects the user sockets and adds their users to the rooms, half of them while their socket is open already; and
    /// adds a member who stays to each room, if others are to come and go.
    /// - Throws: `LocalStackError` if the system server does not, or not all sockets are live within 30 s.
    func addMembers() async throws {
        let (shape, eventLoop) = (shape, eventLoop)
        try await onBoard { board in
            let port = shape.usesOneWebSocketServer ? board.webSocketPorts.first : nil
            for number in 0..<shape.userSockets {
                board.userReaders.append(
                    FaultUserReader(
                        userID: FaultUserReader.firstUserID + number, port: port, readEvery: shape.readEvery,
                        isStream: shape.isUserStream(number), board: board, eventLoop: eventLoop))
            }
            for number in 0..<(shape.userSockets > 0 ? shape.churners : 0) {
                board.visitors.append(
                    FaultUserReader(
                        userID: FaultChurner.firstUserID + number, port: port, readEvery: 0,
                        isStream: shape.isUserStream(number), board: board, eventLoop: eventLoop))
            }
            for (number, reader) in board.userSockets.enumerated() where number.isMultiple(of: 2) { reader.connect() }
        }
        let earlier = try await wait(atMost: .seconds(30)) { board in
            board.userSockets.enumerated().allSatisfy { !$0.isMultiple(of: 2) || $1.state.isLive }
        }
        guard earlier else { throw LocalStackError("Not all user sockets were live within 30 s") }
        for room in rooms {
            if shape.churners > 0 { try await join(room, as: FaultChurner.anchorUserID) }
            for number in 0..<shape.userSockets { try await join(room, as: FaultUserReader.firstUserID + number) }
        }
        try await onBoard { board in
            for (number, reader) in board.userSockets.enumerated() where !number.isMultiple(of: 2) { reader.connect() }
        }
        guard try await wait(atMost: .seconds(30), until: { $0.areUserSocketsLive }) else {
            throw LocalStackError("Not all user sockets were live in their rooms within 30 s")
        }
    }

    /// Makes a user a member of a room.
    func join(_ room: String, as userID: Int) async throws {
        guard try await call(.join, in: room, as: userID) else {
            throw LocalStackError("The system server did not add user \(userID) to \(room)")
        }
        try await onBoard { board in
            board.memberChanges.append(
                .init(room: room, identity: .init(kind: History.joinKind, userID: userID), isAcknowledged: true))
        }
    }

    /// Has a user come into a room or leave it, once.
    /// - Returns: whether it was done.
    func call(_ call: MemberCall, in room: String, as userID: Int) async throws -> Bool {
        let (board, eventLoop) = (board, eventLoop)
        return try await eventLoop.flatSubmit {
            let promise = eventLoop.makePromise(of: Bool.self)
            let caller = FaultCaller(ports: board.value.systemPorts, eventLoop: eventLoop)
            caller.call(call.bytes(caller: .userID(userID), room: room)) { outcome in
                caller.close()
                guard case .answered(let response) = outcome else { return promise.succeed(false) }
                promise.succeed((200..<300).contains(response.status))
            }
            return promise.futureResult
        }.get()
    }

    func startPosting(prefix: String) async throws {
        let (shape, rooms, eventLoop) = (shape, rooms, eventLoop)
        try await onBoard { board in
            board.isPosting = true
            for number in 0..<shape.writers {
                let writer = FaultWriter(
                    number: number, room: rooms[number % rooms.count], shape: shape, prefix: prefix, board: board,
                    eventLoop: eventLoop)
                board.writers.append(writer)
                writer.start()
            }
            for number in 0..<shape.uploaders {
                let uploader = FaultUploader(
                    number: number, room: rooms[number % rooms.count], shape: shape, prefix: prefix, board: board,
                    eventLoop: eventLoop)
                board.uploaders.append(uploader)
                uploader.start()
            }
            for number in 0..<shape.churners {
                let churner = FaultChurner(
                    number: number, room: rooms[number % rooms.count], pace: shape.churnPace,
                    userSocket: board.visitors.indices.contains(number) ? board.visitors[number] : nil, board: board,
                    eventLoop: eventLoop)
                board.churners.append(churner)
                churner.start()
            }
        }
    }

    /// Posts on until `acknowledged` messages have an answer, then waits until every message has its outcome. Those that
    /// have none when the time is up stay unknown.
    /// - Returns: whether it was done in time.
    func finishPosting(acknowledged: Int, within time: Duration) async throws -> Bool {
        let isEnough = try await waitForAcknowledged(acknowledged, within: time)
        try await onBoard { $0.isPosting = false }
        let isSettled = try await wait(atMost: .seconds(30)) { $0.busyWriters == 0 }
        try await onBoard { board in
            board.isRetrying = false
            for writer in board.writers { writer.stop() }
            for uploader in board.uploaders { uploader.stop() }
            for churner in board.churners { churner.stop() }
        }
        return isEnough && isSettled
    }

    /// Begins nothing new and waits until every message has its outcome.
    /// - Throws: `LocalStackError` if one has none within 10 s.
    func pausePosting() async throws {
        try await onBoard { $0.isPosting = false }
        guard try await wait(atMost: .seconds(10), until: { $0.busyWriters == 0 }) else {
            throw LocalStackError("Not all messages had an answer within 10 s")
        }
        // A writer that waits for its next turn must find that there is none, or it would be started twice.
        try await Task.sleep(for: shape.pace * 2)
    }

    /// Lets the writers go on after ``pausePosting()``.
    func resumePosting() async throws {
        try await onBoard { board in
            board.isPosting = true
            for writer in board.writers { writer.start() }
            for uploader in board.uploaders { uploader.start() }
        }
    }

    func waitForAcknowledged(_ count: Int, within time: Duration) async throws -> Bool {
        try await wait(atMost: time) { $0.acknowledged >= count }
    }

    /// The rooms of the writers, and those of users with rooms of their own.
    var allRooms: [String] {
        get async throws {
            let rooms = rooms
            return try await onBoard { rooms + $0.roomsOfReturners }
        }
    }

    var acknowledged: Int {
        get async throws { try await onBoard { $0.acknowledged } }
    }

    /// How often a live user socket reported its user's coming or going.
    var membershipsTold: Int {
        get async throws { try await onBoard { $0.membershipDelays.count } }
    }

    var posts: [History.Post] {
        get async throws { try await onBoard { $0.posts } }
    }

    /// Waits until all sessions are where their rooms end, and those of users who left are closed.
    func waitForReaders(heads: [String: Int], within time: Duration) async throws -> Bool {
        try await onBoard { $0.heads = heads }
        return try await wait(atMost: time) { $0.behind == 0 && $0.overdueVisits == 0 }
    }

    /// Closes everything.
    /// - Returns: what was seen; the logs are not in it.
    func finish() async throws -> (history: History, evidence: ClientEvidence) {
        try await onBoard { board in
            board.isOver = true
            for session in board.sessions + board.returners { session.cut() }
            for visit in board.visits { visit.cut() }
            let history = History(
                posts: board.posts, changes: board.changes, memberChanges: board.memberChanges,
                sessions: board.readers.map(\.session) + board.userSockets.flatMap(\.record.sessions),
                visits: board.visits.map(\.record), membershipDelays: board.membershipDelays, logLoss: board.logLoss)
            return (history, board.evidence)
        }
    }
}
