/// The states of a client.
public enum ConnectionState: String, Sendable, Hashable {
    /// Nothing is open: stopped, or waiting for the next try.
    case offline
    /// A try.
    case connecting
    /// Connected; what was missed is on its way.
    case syncing
    /// All that happens arrives at once.
    case live
    /// Nobody is signed in.
    case signedOut
    /// For good.
    case closed
}

/// Why a state is what it is; of `connecting`, `syncing` and `live`, what made this try necessary.
public enum ConnectionReason: String, Sendable, Hashable {
    case start, network, dead, restart, busy, token, `protocol`, unsupported, sleep, store, stopped, signedOut, otherUser
    case closed
}

/// Why the application is asked for a token.
public enum TokenReason: String, Sendable, Hashable {
    /// There is none yet.
    case first
    /// The one there is ends soon.
    case expiring
    /// The server refused the one there is.
    case refused
}

/// The one connection of a client: when to open, to ping, to renew the token, to give up on a transport. Pure: each input
/// returns the actions to carry out, in order; time passes by ``timePassed(_:)``.
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

    private enum Timer { case retry, token, renew, stable, connecting, ping, pong }
    private enum Phase { case stopped, token, waiting, opening, syncing, live }

    private static let connectingTimeout: Int64 = 10_000
    private static let tokenTimeout: Int64 = 30_000
    private static let probeTimeout: Int64 = 5000
    private static let streamTime: Int64 = 600_000
    /// After so long a live connection counts as stable.
    private static let stableTime: Int64 = 60_000
    private static let handshakesBeforeStream = 3

    private(set) var state = ConnectionState.offline
    private(set) var reason = ConnectionReason.stopped
    private(set) var transport = Transport.webSocket
    /// When the next try begins, in the machine's time, while it waits.
    private(set) var retryAt: Int64?
    private(set) var userID: Int64?

    private var timers: Timers<Timer>
    private let random: RandomSource
    private let needsToken: Bool
    private var actions: [Action] = []
    private var phase = Phase.stopped
    private var hasToken = false
    private var tokenEndsAt = Int64.max
    private var tokenArrivedAt: Int64?
    /// The reason of the token call under way.
    private var asking: TokenReason?
    private var tokenFailures = 0
    private var pauses: Pauses
    /// Handshakes in a row without an answer.
    private var unanswered = 0
    private var isAskedPause = false
    private var reconnectAfter: Int64?
    private var heartbeat: Int64 = 25_000
    private var liveSince: Int64 = 0
    private var streamUntil: Int64 = -1
    private var isHidden = false
    /// The reason of the next try, should the ping that is under way have no answer.
    private var deadReason = ConnectionReason.dead

    init(now: Int64 = 0, userID: Int64? = nil, needsToken: Bool = true, random: @escaping RandomSource) {
        timers = Timers(now: now)
        self.random = random
        pauses = Pauses(random: random)
        self.userID = userID
        self.needsToken = needsToken
    }

    var nextDeadline: Int64? { timers.next }
    var isAsking: Bool { asking != nil }
    private var isOpen: Bool { phase == .opening || phase == .syncing || phase == .live }

    mutating func timePassed(_ now: Int64) -> [Action] {
        while let due = timers.advance(to: now) { happen(due) }
        return take()
    }

    // MARK: The application

    mutating func start() -> [Action] {
        guard phase == .stopped, state != .closed else { return take() }
        if state == .signedOut { hasToken = false }
        pauses = Pauses(random: random)
        unanswered = 0
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

    mutating func token(_ life: TokenLife) -> [Action] {
        guard isAsking else { return take() }
        endTokenCall()
        if let userID, userID != life.userID { return end(.signedOut, .otherUser) }
        userID = life.userID
        hasToken = true
        tokenFailures = 0
        tokenArrivedAt = timers.now
        tokenEndsAt = timers.now + life.remainingMilliseconds
        timers.set(.renew, after: life.renewAfterMilliseconds)
        if phase == .token { connect(reason) } else if isOpen { actions.append(.authenticate) }
        return take()
    }

    mutating func tokenFailed(gaveUp: Bool = false) -> [Action] {
        guard isAsking else { return take() }
        if gaveUp {
            endTokenCall()
            return end(.signedOut, .signedOut)
        }
        tokenCallFailed()
        return take()
    }

    /// A REST call got 401 with the present token.
    mutating func unauthorized() -> [Action] {
        if needsToken, state != .closed, state != .signedOut {
            hasToken = false
            ask(.refused)
        }
        return take()
    }

    // MARK: The transport

    /// Any frame or other sign that the server is there.
    mutating func signOfLife() -> [Action] {
        if isOpen { noteLife() }
        return take()
    }

    mutating func frame(_ frame: JSONObject) -> [Action] {
        guard isOpen else { return take() }
        noteLife()
        switch frame["eventType"]?.string {
        case "ready":
            guard phase == .opening else { break }
            phase = .syncing
            answered()
            let seconds = frame["heartbeatSeconds"]?.integer ?? 25
            heartbeat = min(max(seconds <= 0 ? 25 : min(seconds, 1000), 1), 120) * 1000
            timers.clear(.connecting)
            noteLife()
            set(.syncing, reason)
            if transport == .webSocket { actions.append(.sync) }
        case "synced":
            guard phase == .syncing else { break }
            phase = .live
            pauses.succeeded()
            liveSince = timers.now
            timers.set(.stable, after: Self.stableTime)
            set(.live, reason)
        case "reconnect": reconnectAfter = frame["afterMs"]?.integer
        case "token_expiring":
            if let tokenArrivedAt, timers.now - tokenArrivedAt > 1000 { ask(.expiring) }
        case "error":
            switch frame["code"]?.string {
            case "invalid_token": ask(.refused)
            case "bad_message", "not_synced", "too_many_rooms":
                if phase == .syncing { return protocolError() }
            default: break
            }
        default: break
        }
        return take()
    }

    /// The transport has ended; 1006 where there was no code.
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
            pauses.atLeast(4)
            retry(.busy)
        default: retry(Self.reason(ofCloseCode: code))
        }
        return take()
    }

    /// An HTTP answer in place of a stream.
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

    /// A gap, or something that is no frame.
    mutating func protocolError() -> [Action] { drop(.protocol) }

    /// What came could not be kept.
    mutating func storeFailed() -> [Action] { drop(.store) }

    /// REST answers while handshakes do not.
    mutating func restWorks() -> [Action] {
        if unanswered >= Self.handshakesBeforeStream, timers.now >= streamUntil {
            streamUntil = timers.now + Self.streamTime
            // When its time is over one failed handshake is enough to come back to it.
            unanswered = Self.handshakesBeforeStream - 1
            if phase == .waiting { connect(.unsupported) }
        }
        return take()
    }

    // MARK: The surroundings

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

    /// The wall clock jumped. Where the machine's clock stood still meanwhile, tokens have aged all the same.
    mutating func clockJumped(by milliseconds: Int64) -> [Action] {
        if tokenEndsAt != .max { tokenEndsAt -= milliseconds }
        timers.pull(.renew, by: milliseconds)
        return check(.sleep)
    }

    private mutating func check(_ why: ConnectionReason) -> [Action] {
        if phase == .waiting, !isAskedPause {
            connect(why == .sleep ? .sleep : reason)
        } else if phase == .syncing || phase == .live {
            if transport == .webSocket { actions.append(.ping) }
            timers.clear(.ping)
            deadReason = why
            timers.set(.pong, after: transport == .webSocket ? Self.probeTimeout : 2 * heartbeat)
        }
        return take()
    }

    private mutating func noteLife() {
        timers.clear(.ping, .pong)
        deadReason = .dead
        if !isHidden, phase != .opening { timers.set(.ping, after: heartbeat) }
    }

    // MARK: Timers

    private mutating func happen(_ timer: Timer) {
        switch timer {
        case .retry: connect(reason)
        // Too long: it no longer counts as under way, and a late answer is dropped.
        case .token: tokenCallFailed()
        case .renew: ask(hasToken ? .expiring : .refused)
        case .stable: pauses.stable()
        case .connecting:
            actions.append(.close(code: 1000))
            settle()
            handshakeFailed()
        case .ping:
            // A stream cannot be asked, but its server sends a comment in every heartbeat.
            if transport == .webSocket { actions.append(.ping) }
            timers.set(.pong, after: transport == .webSocket ? min(heartbeat, 10_000) : heartbeat)
        case .pong:
            let why = deadReason
            actions.append(.close(code: 1000))
            settle()
            retry(why)
        }
    }

    private mutating func connect(_ why: ConnectionReason) {
        timers.clear(.retry)
        retryAt = nil
        isAskedPause = false
        reason = why
        if needsToken, !hasToken || tokenEndsAt <= timers.now {
            phase = .token
            ask(tokenArrivedAt == nil ? .first : hasToken ? .expiring : .refused)
            return
        }
        phase = .opening
        transport = timers.now < streamUntil ? .eventStream : .webSocket
        timers.set(.connecting, after: Self.connectingTimeout)
        set(.connecting, why)
        actions.append(.open(transport))
    }

    private mutating func tokenRefused() {
        hasToken = false
        pauses.attempts += 1
        // At once the first time: a token that has ended is the usual cause.
        guard pauses.attempts == 1 else {
            return wait(.token, Pauses.pause(attempt: pauses.attempts - 2, random: random))
        }
        set(.offline, .token)
        connect(.token)
    }

    private mutating func tokenCallFailed() {
        endTokenCall()
        let pause = Pauses.pause(attempt: tokenFailures, random: random)
        tokenFailures += 1
        if phase == .token { wait(.token, pause) } else if phase != .stopped { timers.set(.renew, after: pause) }
    }

    private mutating func answered() {
        if transport == .webSocket { unanswered = 0 }
    }

    private mutating func handshakeFailed() {
        unanswered += transport == .webSocket ? 1 : 0
        retry(transport == .eventStream ? .unsupported : .network)
        if unanswered >= Self.handshakesBeforeStream, transport == .webSocket { actions.append(.checkREST) }
    }

    private mutating func drop(_ why: ConnectionReason) -> [Action] {
        guard isOpen else { return take() }
        actions.append(.close(code: 1000))
        settle()
        pauses.strike()
        retry(why)
        return take()
    }

    /// Ends what belongs to the transport of now.
    private mutating func settle() {
        if phase == .live { pauses.lived(timers.now - liveSince) }
        reconnectAfter = nil
        deadReason = .dead
        timers.clear(.connecting, .ping, .pong, .stable)
        phase = .waiting
    }

    private mutating func retry(_ why: ConnectionReason, asked: Int64? = nil) {
        let pause = pauses.next()
        guard let asked else { return wait(why, pause) }
        wait(why, min(max(asked, 0), Pauses.longestAsked), isAsked: true)
    }

    private mutating func wait(_ why: ConnectionReason, _ milliseconds: Int64, isAsked: Bool = false) {
        phase = .waiting
        isAskedPause = isAsked
        retryAt = timers.now + milliseconds
        timers.set(.retry, after: milliseconds)
        set(.offline, why, milliseconds)
    }

    private mutating func end(_ state: ConnectionState, _ why: ConnectionReason) -> [Action] {
        guard self.state != .closed else { return take() }
        if isOpen { actions.append(.close(code: 1000)) }
        // A call that is under way serves REST calls, too.
        let keepsAsking = isAsking && state == .offline
        settle()
        phase = .stopped
        retryAt = nil
        if !keepsAsking {
            asking = nil
            timers.clearAll()
        }
        timers.clear(.retry, .renew)
        if self.state != state || reason != why { set(state, why) }
        return take()
    }

    private mutating func ask(_ why: TokenReason) {
        guard !isAsking else { return }
        asking = why
        timers.clear(.renew)
        timers.set(.token, after: Self.tokenTimeout)
        actions.append(.token(why))
    }

    private mutating func endTokenCall() {
        asking = nil
        timers.clear(.token)
    }

    private mutating func set(_ state: ConnectionState, _ why: ConnectionReason, _ retryIn: Int64? = nil) {
        let previous = self.state
        self.state = state
        reason = why
        actions.append(.state(state, previous: previous, why, retryInMilliseconds: retryIn))
    }

    private mutating func take() -> [Action] {
        defer { actions = [] }
        return actions
    }

    private static func reason(ofCloseCode code: UInt16) -> ConnectionReason {
        switch code {
        case 1001, 1012: .restart
        case 1013: .busy
        case 1002, 1003, 1007, 1008, 1009, 4403, 4404: .protocol
        default: .network
        }
    }
}
