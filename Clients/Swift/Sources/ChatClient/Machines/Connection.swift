/// The one connection of a client: decides when to open it, to ping, to renew the token, and to change the transport.
/// Pure: each input returns the actions to carry out, in order; time passes by ``timePassed(_:)``.
struct Connection: Sendable {
    enum Transport: String, Sendable { case webSocket, eventStream }

    enum Action: Sendable, Equatable {
        case token(TokenReason)
        case open(Transport)
        case ping
        case sync
        /// The present token is to be sent over the connection.
        case authenticate
        case close(code: UInt16)
        case checkREST
        case state(ConnectionState, previous: ConnectionState, ConnectionReason, retryInMilliseconds: Int64?)
    }

    enum Timer { case retry, token, renew, stable, connecting, ping, pong }
    enum Phase { case stopped, token, waiting, opening, syncing, live }

    static let connectingTimeout: Int64 = 10_000
    static let tokenTimeout: Int64 = 30_000
    static let probeTimeout: Int64 = 5000
    /// A deadline that is noticed later than this shows that the process was stalled, in milliseconds.
    static let maximumLateness: Int64 = 1000
    /// A token that is refused at a lower age counts as a failed call, in milliseconds.
    static let usefulAge: Int64 = 10_000
    static let streamTime: Int64 = 600_000
    /// Time after which a live connection counts as stable, in milliseconds.
    static let stableTime: Int64 = 60_000
    static let handshakesBeforeStream = 3

    var state = ConnectionState.offline
    var reason = ConnectionReason.stopped
    var transport = Transport.webSocket
    /// Start of the next attempt while it waits, in the machine's time.
    var retryAt: Int64?
    var userID: Int64?

    var timers: Timers<Timer>
    let random: RandomSource
    let needsToken: Bool
    var actions: [Action] = []
    var phase = Phase.stopped
    var hasToken = false
    var tokenEndsAt = Int64.max
    var tokenArrivedAt: Int64?
    /// When the token is to be renewed, in the machine's time.
    var renewAt: Int64 = 0
    /// The reason of the token call under way.
    var asking: TokenReason?
    var tokenFailures = 0
    /// Refusals in a row of tokens that had just arrived.
    var refusals = 0
    var backoff: RetryBackoff
    /// Handshakes in a row without a response.
    var unanswered = 0
    var isAskedPause = false
    var reconnectAfter: Int64?
    var heartbeat: Int64 = 25_000
    var liveSince: Int64 = 0
    var streamUntil: Int64 = -1
    var isHidden = false
    /// The reason of the next attempt if the present ping has no response.
    var deadReason = ConnectionReason.dead
    /// Whether the server got more time since its last sign of life.
    var isExtended = false

    init(now: Int64 = 0, userID: Int64? = nil, needsToken: Bool = true, random: @escaping RandomSource) {
        timers = Timers(now: now)
        self.random = random
        backoff = RetryBackoff(random: random)
        self.userID = userID
        self.needsToken = needsToken
    }

    var nextDeadline: Int64? { timers.next }
    var isAsking: Bool { asking != nil }
    var isOpen: Bool { phase == .opening || phase == .syncing || phase == .live }

    mutating func timePassed(_ now: Int64) -> [Action] {
        extendOverdue(now)
        while let due = timers.advance(to: now) { timerFired(due) }
        return take()
    }

    /// After the process was stalled, silence does not mean that the server is dead: its answer may wait unread in the
    /// socket. The server gets more time once; a process that is stalled again and again ends the connection, too.
    private mutating func extendOverdue(_ now: Int64) {
        func isLate(_ timer: Timer) -> Bool {
            timers.deadline(timer).map { now - $0 > Self.maximumLateness } ?? false
        }
        if isLate(.ping) { timers.set(.ping, at: now) }
        for timer in [Timer.pong, .connecting] where isLate(timer) && !isExtended {
            isExtended = true
            timers.set(timer, at: now + Self.probeTimeout)
        }
    }

    // MARK: The application

    mutating func start() -> [Action] {
        guard phase == .stopped, state != .closed else { return take() }
        backoff = RetryBackoff(random: random)
        (unanswered, streamUntil) = (0, -1)
        refusals = 0
        reason = .start
        connect(.start)
        return take()
    }

    mutating func stop() -> [Action] { end(.offline, .stopped) }
    mutating func close() -> [Action] { end(.closed, .closed) }

    mutating func retryNow() -> [Action] {
        if phase == .waiting { connect(reason) }
        return take()
    }

    // MARK: Tokens

    mutating func token(_ lifetime: TokenLifetime) -> [Action] {
        guard isAsking else { return take() }
        endTokenCall()
        if let userID, userID != lifetime.userID { return end(.signedOut, .otherUser) }
        userID = lifetime.userID
        hasToken = true
        tokenFailures = 0
        tokenArrivedAt = timers.now
        tokenEndsAt = timers.now + lifetime.remainingMilliseconds
        renewAt = timers.now + lifetime.renewAfterMilliseconds
        timers.set(.renew, at: renewAt)
        if phase == .token { connect(reason) } else if isOpen { actions.append(.authenticate) }
        return take()
    }

    /// - Parameter isSignedOut: whether the application threw ``SignedOut``.
    mutating func tokenFailed(isSignedOut: Bool = false) -> [Action] {
        guard isAsking else { return take() }
        if isSignedOut {
            endTokenCall()
            return end(.signedOut, .signedOut)
        }
        tokenCallFailed()
        return take()
    }

    /// The present token was refused by a REST call, or in place of the former one on the connection.
    mutating func unauthorized() -> [Action] {
        guard needsToken, state != .closed, state != .signedOut else { return take() }
        let hadToken = hasToken
        countRefusal()
        // Without `run()` nobody makes the call; the next start does.
        guard phase != .stopped else { return take() }
        if refusals < 2 {
            ask(.refused)
        } else if hadToken, !isAsking {
            // One token after the other is refused.
            timers.set(.renew, after: RetryBackoff.pause(attempt: refusals - 2, random: random))
        }
        return take()
    }

    // MARK: The transport

    /// Any input that shows that the server is reachable.
    mutating func activity() -> [Action] {
        if isOpen { noteActivity() }
        return take()
    }

    mutating func frame(_ frame: JSONObject) -> [Action] {
        guard isOpen else { return take() }
        noteActivity()
        switch frame["eventType"]?.string {
        case "ready":
            guard phase == .opening else { break }
            phase = .syncing
            answered()
            let seconds = frame["heartbeatSeconds"]?.integer ?? 25
            heartbeat = min(max(seconds <= 0 ? 25 : min(seconds, 1000), 1), 120) * 1000
            timers.clear(.connecting)
            noteActivity()
            set(.syncing, reason)
            if transport == .webSocket { actions.append(.sync) }
        case "synced":
            guard phase == .syncing else { break }
            phase = .live
            backoff.succeeded()
            liveSince = timers.now
            timers.set(.stable, after: Self.stableTime)
            set(.live, reason)
        case "reconnect": reconnectAfter = frame["afterMs"]?.integer
        case "token_expiring":
            if let tokenArrivedAt, timers.now - tokenArrivedAt > 1000 { ask(.expiring) }
        case "error":
            switch frame["code"]?.string {
            case "invalid_token": return unauthorized()
            case "bad_message", "not_synced", "too_many_rooms":
                if phase == .syncing { return protocolError() }
            default: break
            }
        default: break
        }
        return take()
    }

    /// The transport has ended; the code is 1006 if there was none.
    mutating func closed(code: UInt16) -> [Action] {
        guard isOpen else { return take() }
        let after = reconnectAfter
        let wasOpening = phase == .opening
        settle()
        if wasOpening, [1000, 1005, 1006, 1015].contains(code) {
            handshakeFailed()
            return take()
        }
        answered()
        switch code {
        case 4401, 4408: tokenRefused()
        case _ where after != nil: retry(.restart, asked: after)
        case 4429:
            backoff.atLeast(4)
            retry(.busy)
        default: retry(Self.reason(ofCloseCode: code))
        }
        return take()
    }

    /// An HTTP response in place of a stream.
    mutating func httpError(status: Int, retryAfterMilliseconds: Int64?) -> [Action] {
        guard isOpen else { return take() }
        settle()
        switch status {
        case 401: tokenRefused()
        case 404, 405:
            streamUntil = -1
            unanswered = 0
            connect(.unsupported)
        default: retry(status == 429 || status == 503 ? .busy : .network, asked: retryAfterMilliseconds)
        }
        return take()
    }

    /// A gap in a log, or an input that is not a frame.
    mutating func protocolError() -> [Action] { drop(.protocol) }

    /// The events that arrived could not be stored.
    mutating func storeFailed() -> [Action] { drop(.store, countsUntilStable: false) }

    /// REST calls are answered while handshakes are not.
    mutating func restWorks() -> [Action] {
        if unanswered >= Self.handshakesBeforeStream, timers.now >= streamUntil {
            streamUntil = timers.now + Self.streamTime
            // After the time limit of streams, one failed handshake is enough to return to them.
            unanswered = Self.handshakesBeforeStream - 1
            return retryNow()
        }
        return take()
    }

    // MARK: The device

    mutating func online() -> [Action] { check(.network) }

    mutating func visible() -> [Action] {
        isHidden = false
        return check(.dead)
    }

    mutating func hidden() -> [Action] {
        isHidden = true
        timers.clear(.ping, .pong)
        return take()
    }

    /// The wall clock jumped. The machine's clock may have stopped meanwhile, but tokens have aged.
    mutating func clockJumped(by milliseconds: Int64) -> [Action] {
        if tokenEndsAt != .max { tokenEndsAt -= milliseconds }
        renewAt -= milliseconds
        timers.pull(.renew, by: milliseconds)
        return check(.sleep)
    }

    mutating func check(_ why: ConnectionReason) -> [Action] {
        if phase == .waiting, !isAskedPause {
            connect(why == .sleep ? .sleep : reason)
        } else if phase == .syncing || phase == .live {
            probe(why)
        }
        return take()
    }

    private mutating func probe(_ why: ConnectionReason) {
        let timeout = transport == .webSocket ? Self.probeTimeout : 2 * heartbeat
        // With a new deadline for each of many reports in a row, a dead connection would never be found.
        if let deadline = timers.deadline(.pong), deadline <= timers.now + timeout { return }
        if transport == .webSocket { actions.append(.ping) }
        timers.clear(.ping)
        deadReason = why
        timers.set(.pong, after: timeout)
    }

    mutating func noteActivity() {
        timers.clear(.ping, .pong)
        deadReason = .dead
        isExtended = false
        if !isHidden, phase != .opening { timers.set(.ping, after: heartbeat) }
    }
}
