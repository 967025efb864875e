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

    let rooms: [String]
    let messagePorts: [Int]
    let webSocketPorts: [Int]
    let systemPorts: [Int]
    /// Whether sessions keep and send marks, and take notice when they learn that their log is another one.
    let checksMarks: Bool
    var posts: [History.Post] = []
    var uploads: [History.Upload] = []
    var changes: [History.Change] = []
    var memberChanges: [History.Change] = []
    var membershipDelays: [History.MembershipDelay] = []
    var evidence = ClientEvidence()
    var readers: [FaultReader] = []
    /// User sockets of users who stay in all rooms.
    var userReaders: [FaultUserReader] = []
    /// User sockets of the churners.
    var visitors: [FaultUserReader] = []
    /// User sockets of users with rooms of their own.
    var returners: [FaultUserReader] = []
    /// The rooms of those.
    var roomsOfReturners: [String] = []
    var writers: [FaultWriter] = []
    var uploaders: [FaultUploader] = []
    var churners: [FaultChurner] = []
    var visits: [ChurnerSocket] = []
    var acknowledged = 0
    /// Writers, uploaders and churners with something that has no outcome yet.
    var busyWriters = 0
    /// No new messages, comings or goings are begun when this is false.
    var isPosting = false
    /// Nothing is tried again when this is false.
    var isRetrying = true
    /// Closed sockets stay closed when this is true.
    var isOver = false
    /// The end of each room, once it is known.
    var heads: [String: Int] = [:]
    /// A 4409 is expected: PostgreSQL is about to lose commits, or has lost them.
    var expectsLogLoss = false
    var logLoss: History.LogLoss?
    /// Sessions that had lost events when the loss was noted, and how often each had begun again by then.
    private var uninformedSince: [Stay: Int] = [:]
    private var waits: [ObjectIdentifier: Wait] = [:]

    init(
        rooms: [String], messagePorts: [Int], webSocketPorts: [Int], systemPorts: [Int], checksMarks: Bool = true
    ) {
        self.rooms = rooms
        self.messagePorts = messagePorts
        self.webSocketPorts = webSocketPorts
        self.systemPorts = systemPorts
        self.checksMarks = checksMarks
    }

    /// All that faults can be done to. User sockets are first, so that they are among a few that are taken from the front.
    var sessions: [any FaultSession] {
        let front = userReaders.prefix(2)
        return Array(front) + readers + Array(userReaders.dropFirst(front.count)) + visitors
    }

    /// All user sockets.
    var userSockets: [FaultUserReader] { userReaders + visitors + returners }

    var haveAllReadersJoined: Bool { readers.allSatisfy { $0.cursor != nil } }

    /// Whether each user socket is live, in all rooms where its user stays in them.
    var areUserSocketsLive: Bool {
        userReaders.allSatisfy { $0.isLive(in: rooms) } && visitors.allSatisfy { $0.isLive(in: []) }
    }

    /// Sessions that have not reached their room's end, and user sockets that lack a room of their user or have one too
    /// many.
    var behind: Int {
        let sockets = readers.count { ($0.cursor ?? 0) < heads[$0.room] ?? 0 }
        let users = userReaders.count { !$0.isLive(in: rooms) || isBehind($0) }
        let churned = churners.count { !$0.isSettled || $0.userSocket.map(isBehind) ?? false }
        return sockets + users + churned + returners.count { !$0.isLive(in: roomsOfReturners) || isBehind($0) }
    }

    private func isBehind(_ reader: FaultUserReader) -> Bool {
        reader.state.places.contains { $0.value.seq < heads[$0.key] ?? 0 }
    }

    /// Sessions that had events that PostgreSQL lost and have not been informed since.
    var uninformed: Int {
        let now = stays
        return uninformedSince.count { now[$0.key]?.restarts == $0.value }
    }

    /// Notes who has events that PostgreSQL lost.
    func noteLogLoss(_ loss: History.LogLoss) {
        logLoss = loss
        uninformedSince = stays.filter { !loss.keeps($0.value.seq, in: $0.key.room) }.mapValues(\.restarts)
    }

    private struct Stay: Hashable {
        var session: ObjectIdentifier
        var room: String
    }

    /// How far each session has each of its rooms, and how often it has begun again there.
    private var stays: [Stay: (seq: Int, restarts: Int)] {
        var stays: [Stay: (seq: Int, restarts: Int)] = [:]
        for reader in readers {
            stays[.init(session: ObjectIdentifier(reader), room: reader.room)] = (
                reader.cursor ?? 0, reader.session.abandoned.count
            )
        }
        for reader in userSockets {
            for (room, place) in reader.state.places {
                stays[.init(session: ObjectIdentifier(reader), room: room)] = (
                    place.seq, reader.record.restarts(in: room)
                )
            }
        }
        return stays
    }

    /// Sockets of users who have left.
    var overdueVisits: Int { visits.count(where: \.isOverdue) }

    /// The furthest that any session has got in a room.
    func furthest(in room: String) -> Int {
        readers.lazy.filter { $0.room == room }.compactMap(\.cursor).max() ?? 0
    }

    /// Counts a violation of the contract.
    func note(_ violation: String) {
        evidence.violations[violation, default: 0] += 1
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
    /// Readings of the feed of changes that were answered with 429 or 503.
    var feedRefused = 0
    /// Files whose upload was acknowledged.
    var uploadsStored = 0
    /// Uploads and deletions of files that were answered with 429 or 503.
    var uploadsRefused = 0
    /// Uploads that got no answer.
    var uploadsUnanswered = 0
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
    /// `room_reset` frames.
    var resets = 0
    /// Violations of the contract that clients saw, with their number.
    var violations: [String: Int] = [:]

    var closed: Int { closes.values.reduce(0, +) }
}
