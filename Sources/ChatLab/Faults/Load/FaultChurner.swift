import CommonUtil
import NIOCore

/// Comes into a room and leaves it, again and again. Both may be asked for again when there was no answer: who is in does
/// not come in once more, and who is out cannot leave. Confined to its event loop.
final class FaultChurner {
    /// Users from here on come and go; the one before stays in every room.
    static let firstUserID = 9001
    /// Who is in every room and stays, since a room is archived when its last member leaves.
    static let anchorUserID = 9000
    /// Stays between two read marks that it sends to the system server.
    private static let readEvery = 2

    private let userID: Int
    private let room: String
    private let pace: Duration
    /// Whether it opens a socket each time it comes.
    private let visits: Bool
    private let board: LoadBoard
    private let eventLoop: any EventLoop
    private let caller: FaultCaller
    private var backoff = Backoff(first: .milliseconds(50), longest: .milliseconds(500))
    private var stays = 0
    private var visit: ChurnerSocket?
    /// Has to report each coming and going.
    let userSocket: FaultUserReader?
    private var isIn = false

    /// - Parameter userSocket: the socket of its user.
    init(
        number: Int, room: String, pace: Duration, userSocket: FaultUserReader?, board: LoadBoard,
        eventLoop: any EventLoop
    ) {
        userID = Self.firstUserID + number
        self.room = room
        self.pace = pace
        visits = number.isMultiple(of: 2)
        self.userSocket = userSocket
        self.board = board
        self.eventLoop = eventLoop
        caller = FaultCaller(ports: board.systemPorts, eventLoop: eventLoop)
    }

    /// Whether its user's socket has the room if the user is in it, and else not.
    var isSettled: Bool {
        guard let userSocket else { return true }
        return userSocket.state.isLive && (userSocket.state.places[room] != nil) == isIn
    }

    /// Begins somewhere within the first pace, so that the churners are spread.
    func start() {
        later(pace * Double.random(in: 0...1)) { $0.come() }
    }

    func stop() {
        caller.close()
    }

    private func come() {
        guard board.isPosting else { return }
        begin(.join, History.joinKind) { me in
            me.stays += 1
            if me.visits { me.openVisit() }
            if me.stays.isMultiple(of: Self.readEvery) { me.read() } else { me.rest { $0.go() } }
        }
    }

    private func openVisit() {
        let visit = ChurnerSocket(of: userID, in: room, board: board, eventLoop: eventLoop)
        self.visit = visit
        visit.connect()
    }

    /// Not asked for again: the next one reaches further.
    private func read() {
        let seq = board.furthest(in: room)
        caller.call(MemberCall.read(seq: seq).bytes(caller: .userID(userID), room: room)) { outcome in
            if case .answered(let response) = outcome { self.judge(response.status, of: "a read", good: [200]) }
            self.rest { $0.go() }
        }
    }

    private func go() {
        guard board.isPosting else { return }
        visit?.leaving()
        begin(.leave, History.leaveKind) { me in
            guard let visit = me.visit else { return me.rest { $0.come() } }
            me.visit = nil
            visit.left { me.rest { $0.come() } }
        }
    }

    // MARK: One coming or going

    private func begin(_ request: MemberCall, _ kind: String, then next: @escaping (FaultChurner) -> Void) {
        board.memberChanges.append(
            History.Change(room: room, identity: .init(kind: kind, userID: userID)))
        board.busyWriters += 1
        userSocket?.asked(kind, in: room)
        attempt(request, board.memberChanges.count - 1) { me in
            me.isIn = kind == History.joinKind
            me.backoff.reset()
            me.board.busyWriters -= 1
            me.board.progress()
            next(me)
        }
    }

    private func attempt(_ request: MemberCall, _ change: Int, then next: @escaping (FaultChurner) -> Void) {
        guard board.isRetrying else { return }
        // 403: the user is no member, so an earlier attempt without an answer was carried out; if not, the log lacks the leave.
        let good: Set<Int> = if case .leave = request { [204, 403] } else { [200] }
        caller.call(request.bytes(caller: .userID(userID), room: room)) { outcome in
            if case .answered(let response) = outcome,
                self.judge(response.status, of: "a coming or going", good: good)
            {
                self.board.memberChanges[change].isAcknowledged = true
                return next(self)
            }
            self.later(self.backoff.next()) { $0.attempt(request, change, then: next) }
        }
    }

    @discardableResult
    private func judge(_ status: Int, of what: String, good: Set<Int>) -> Bool {
        if good.contains(status) { return true }
        if status == 503 {
            board.evidence.othersRefused += 1
        } else {
            board.evidence.violations["\(what) answered with \(status)", default: 0] += 1
        }
        return false
    }

    private func rest(_ body: @escaping (FaultChurner) -> Void) {
        later(pace * Double.random(in: 0.75...1.25), body)
    }

    private func later(_ time: Duration, _ body: @escaping (FaultChurner) -> Void) {
        eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(time)) { body(self) }
    }
}
