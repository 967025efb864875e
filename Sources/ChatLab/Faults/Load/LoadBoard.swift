import NIOCore

/// The shared state of the clients of one run. Confined to the event loop of all of them.
final class LoadBoard {
    private final class Wait {
        let isOver: () -> Bool
        let promise: EventLoopPromise<Bool>

        init(isOver: @escaping () -> Bool, promise: EventLoopPromise<Bool>) {
            self.isOver = isOver
            self.promise = promise
        }
    }

    let messagePorts: [Int]
    let webSocketPorts: [Int]
    let systemPorts: [Int]
    var posts: [History.Post] = []
    var changes: [History.Change] = []
    var memberChanges: [History.Change] = []
    var evidence = ClientEvidence()
    var readers: [FaultReader] = []
    var writers: [FaultWriter] = []
    var churners: [FaultChurner] = []
    var visits: [FaultVisit] = []
    var acknowledged = 0
    /// Writers and churners with something that has no outcome yet.
    var busyWriters = 0
    /// No new messages, comings or goings are begun when this is false.
    var isPosting = false
    /// Nothing is tried again when this is false.
    var isRetrying = true
    /// Closed sockets stay closed when this is true.
    var isOver = false
    /// Where each room ends, once that is known.
    var heads: [String: Int] = [:]
    /// A 4409 is expected: PostgreSQL is about to lose commits, or has lost them.
    var expectsLogLoss = false
    var logLoss: History.LogLoss?
    private var waits: [ObjectIdentifier: Wait] = [:]

    init(messagePorts: [Int], webSocketPorts: [Int], systemPorts: [Int]) {
        self.messagePorts = messagePorts
        self.webSocketPorts = webSocketPorts
        self.systemPorts = systemPorts
    }

    var haveAllReadersJoined: Bool { readers.allSatisfy { $0.cursor != nil } }

    /// Sessions that have not reached their room's end.
    var behind: Int { readers.count { ($0.cursor ?? 0) < heads[$0.room] ?? 0 } }

    /// Sessions that have events that PostgreSQL lost.
    var uninformed: Int {
        guard let logLoss else { return 0 }
        return readers.count { !logLoss.keeps($0.cursor ?? 0, in: $0.room) }
    }

    /// Sockets of users who have left.
    var overdueVisits: Int { visits.count(where: \.isOverdue) }

    /// The furthest that any session has got in a room.
    func furthest(in room: String) -> Int {
        readers.lazy.filter { $0.room == room }.compactMap(\.cursor).max() ?? 0
    }

    /// To be called when something has changed.
    func progress() {
        guard !waits.isEmpty else { return }
        for (id, wait) in waits where wait.isOver() {
            waits[id] = nil
            wait.promise.succeed(true)
        }
    }

    /// Whether `isOver` became true within this time.
    func wait(
        atMost time: TimeAmount, on eventLoop: any EventLoop, until isOver: @escaping () -> Bool
    ) -> EventLoopFuture<Bool> {
        guard !isOver() else { return eventLoop.makeSucceededFuture(true) }
        let promise = eventLoop.makePromise(of: Bool.self)
        let wait = Wait(isOver: isOver, promise: promise)
        let id = ObjectIdentifier(wait)
        waits[id] = wait
        let timeout = eventLoop.assumeIsolated().scheduleTask(in: time) {
            guard self.waits.removeValue(forKey: id) != nil else { return }
            promise.succeed(false)
        }
        promise.futureResult.whenComplete { _ in timeout.cancel() }
        return promise.futureResult
    }
}

/// Counts of what the clients observed of a fault.
struct ClientEvidence: Sendable, Codable, Equatable {
    /// Posts answered with 503 or 429.
    var refused = 0
    /// Posts that got no answer: the connection ended, or the time was up.
    var unanswered = 0
    /// `read` frames that sessions sent.
    var reads = 0
    /// Reads, comings and goings that were answered with 503 or an `unavailable`.
    var othersRefused = 0
    /// Attempts after the first.
    var retries = 0
    /// Sockets that ended, by close code, or "none".
    var closes: [String: Int] = [:]
    /// Failed attempts to connect.
    var unreached = 0
    /// Sockets that resumed where the last one ended.
    var resumes = 0
    /// Events that such a socket got from before its connect.
    var replayed = 0
    /// Violations of the contract that clients saw, with their number.
    var oddities: [String: Int] = [:]

    var closed: Int { closes.values.reduce(0, +) }
}
