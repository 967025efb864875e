import ChatLocalStack
import NIOCore

/// The writers and readers of one run. All are on one event loop, so no lock is needed and both ends of a delivery read
/// the same clock.
final class FaultLoad: Sendable {
    let shape: LoadShape
    let rooms: [String]
    private let eventLoop: any EventLoop
    private let board: NIOLoopBoundBox<LoadBoard>

    /// - Parameter name: begins the names of its rooms and messages.
    init(_ shape: LoadShape, name: String, stack: LocalStack, on eventLoop: any EventLoop) {
        self.shape = shape
        self.eventLoop = eventLoop
        let rooms = (1...max(1, shape.rooms)).map { "\(name)-\($0)" }
        self.rooms = rooms
        board = .makeBoxSendingValue(
            LoadBoard(
                messagePorts: stack.messageServers.map(\.port), webSocketPorts: stack.webSocketServers.map(\.port),
                systemPorts: [stack.systemServer.port]),
            eventLoop: eventLoop)
    }

    private func onBoard<Result: Sendable>(
        _ body: @escaping @Sendable (LoadBoard) throws -> Result
    ) async throws -> Result {
        let board = board
        return try await eventLoop.submit { try body(board.value) }.get()
    }

    private func wait(
        atMost time: Duration, until isOver: @escaping @Sendable (LoadBoard) -> Bool
    ) async throws -> Bool {
        let (board, eventLoop) = (board, eventLoop)
        return try await eventLoop.flatSubmit {
            let value = board.value
            return value.wait(atMost: TimeAmount(time), on: eventLoop) { isOver(value) }
        }.get()
    }

    // MARK: The run

    /// Connects all sessions.
    /// - Throws: `LocalStackError` if one of them has no `ready` within 30 s.
    func connect() async throws {
        let (shape, rooms, eventLoop) = (shape, rooms, eventLoop)
        try await onBoard { board in
            for number in 0..<shape.sessions {
                let reader = FaultReader(
                    number: number, room: rooms[number % rooms.count],
                    port: shape.usesOneWebSocketServer ? board.webSocketPorts.first : nil,
                    readEvery: shape.readEvery, board: board,
                    eventLoop: eventLoop)
                board.readers.append(reader)
                reader.connect()
            }
        }
        guard try await wait(atMost: .seconds(30), until: { $0.haveAllReadersJoined }) else {
            throw LocalStackError("Not all \(shape.sessions) sessions got into their rooms within 30 s")
        }
    }

    /// Adds a member who stays to each room, if others are to come and go.
    /// - Throws: `LocalStackError` if the system server does not.
    func moveIn() async throws {
        guard shape.churners > 0 else { return }
        for room in rooms {
            let (board, eventLoop) = (board, eventLoop)
            let isIn = try await eventLoop.flatSubmit {
                let promise = eventLoop.makePromise(of: Bool.self)
                let anchor = FaultChurner.anchorUserID
                let caller = FaultCaller(ports: board.value.systemPorts, eventLoop: eventLoop)
                caller.call(MemberCall.join.bytes(caller: .userID(anchor), room: room)) { outcome in
                    caller.close()
                    guard case .answered(let response) = outcome else { return promise.succeed(false) }
                    board.value.memberChanges.append(
                        .init(
                            room: room, identity: .init(kind: History.joinKind, userID: anchor), isAcknowledged: true))
                    promise.succeed(response.status == 200)
                }
                return promise.futureResult
            }.get()
            guard isIn else { throw LocalStackError("The system server did not add a member to \(room)") }
        }
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
            for number in 0..<shape.churners {
                let churner = FaultChurner(
                    number: number, room: rooms[number % rooms.count], pace: shape.churnPace, board: board,
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
        }
    }

    func waitForAcknowledged(_ count: Int, within time: Duration) async throws -> Bool {
        try await wait(atMost: time) { $0.acknowledged >= count }
    }

    var acknowledged: Int {
        get async throws { try await onBoard { $0.acknowledged } }
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
            for reader in board.readers { reader.cut() }
            for visit in board.visits { visit.cut() }
            let history = History(
                posts: board.posts, changes: board.changes, memberChanges: board.memberChanges,
                sessions: board.readers.map(\.session), visits: board.visits.map(\.record), logLoss: board.logLoss)
            return (history, board.evidence)
        }
    }

    // MARK: Faults of the clients

    var evidence: ClientEvidence {
        get async throws { try await onBoard { $0.evidence } }
    }

    /// Ends the connections of `count` sessions, chosen at random.
    func cutSessions(_ count: Int) async throws {
        try await onBoard { board in
            for reader in board.readers.shuffled().prefix(count) { reader.cut() }
        }
    }

    /// Has `count` sessions, chosen at random, send frames that are answered and reset their connection at once.
    func resetSessions(_ count: Int) async throws {
        let (board, eventLoop) = (board, eventLoop)
        try await eventLoop.flatSubmit {
            let chosen = board.value.readers.shuffled().prefix(count)
            return EventLoopFuture.andAllSucceed(chosen.map { $0.reset() }, on: eventLoop)
        }.get()
    }

    /// Makes the first `count` sessions stop reading.
    func stallSessions(_ count: Int) async throws {
        let (board, eventLoop) = (board, eventLoop)
        try await eventLoop.flatSubmit {
            EventLoopFuture.andAllSucceed(board.value.readers.prefix(count).map { $0.stall() }, on: eventLoop)
        }.get()
    }

    func wakeSessions() async throws {
        try await onBoard { board in
            for reader in board.readers where reader.session.wasStalled { reader.goOn() }
        }
    }

    /// From here on sessions may be closed with 4409.
    func expectLogLoss() async throws {
        try await onBoard { $0.expectsLogLoss = true }
    }

    /// Notes what PostgreSQL kept, and waits until no session has any other event.
    /// - Returns: how many were not closed with 4409 in time.
    func noteLogLoss(_ loss: History.LogLoss, within time: Duration) async throws -> Int {
        try await onBoard { $0.logLoss = loss }
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
}
