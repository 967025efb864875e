/// The steps that the inputs of a connection lead to.
extension Connection {
    mutating func timerFired(_ timer: Timer) {
        switch timer {
        case .retry: connect(reason)
        // Too long: the call no longer counts as under way, and its late result is dropped.
        case .token: tokenCallFailed()
        case .renew: ask(hasToken ? .expiring : .refused)
        case .stable: backoff.stable()
        case .connecting:
            actions.append(.close(code: 1000))
            settle()
            handshakeFailed()
        case .ping:
            // A stream cannot be pinged, but its server sends a comment in every heartbeat.
            if transport == .webSocket { actions.append(.ping) }
            timers.set(.pong, after: transport == .webSocket ? min(heartbeat, 10_000) : heartbeat)
        case .pong:
            let why = deadReason
            actions.append(.close(code: 1000))
            settle()
            retry(why)
        }
    }

    mutating func connect(_ why: ConnectionReason) {
        timers.clear(.retry)
        retryAt = nil
        isAskedPause = false
        reason = why
        if needsToken, !hasToken || tokenEndsAt <= timers.now {
            phase = .token
            ask(tokenArrivedAt == nil ? .first : hasToken ? .expiring : .refused)
            return
        }
        // A stop has ended the timer, not the token.
        if hasToken, !isAsking, !timers.has(.renew) { timers.set(.renew, at: renewAt) }
        phase = .opening
        let former = transport
        transport = timers.now < streamUntil ? .eventStream : .webSocket
        timers.set(.connecting, after: Self.connectingTimeout)
        // If REST has answered during a handshake, that is the reason for the stream, not the failure of the handshake.
        set(.connecting, former == .webSocket && transport == .eventStream ? .unsupported : why)
        actions.append(.open(transport))
    }

    mutating func tokenRefused() {
        countRefusal()
        // At once the first time: the usual cause is a token that has ended.
        let attempt = max(backoff.attempts - 1, refusals - 2)
        backoff.attempts += 1
        guard attempt < 0 else { return wait(.token, RetryBackoff.pause(attempt: attempt, random: random)) }
        set(.offline, .token)
        connect(.token)
    }

    /// The present token was refused.
    mutating func countRefusal() {
        if hasToken, let tokenArrivedAt {
            refusals = timers.now - tokenArrivedAt < Self.usefulAge ? refusals + 1 : 0
        }
        hasToken = false
    }

    mutating func tokenCallFailed() {
        endTokenCall()
        let pause = RetryBackoff.pause(attempt: tokenFailures, random: random)
        tokenFailures += 1
        if phase == .token { wait(.token, pause) } else if phase != .stopped { timers.set(.renew, after: pause) }
    }

    mutating func answered() {
        // Sockets work here.
        if transport == .webSocket { (unanswered, streamUntil) = (0, -1) }
    }

    mutating func handshakeFailed() {
        unanswered += transport == .webSocket ? 1 : 0
        retry(.network)
        if unanswered >= Self.handshakesBeforeStream, transport == .webSocket { actions.append(.checkREST) }
    }

    /// - Parameter countsUntilStable: whether the next success does not make up for this failure.
    mutating func drop(_ why: ConnectionReason, countsUntilStable: Bool = true) -> [Action] {
        guard isOpen else { return take() }
        actions.append(.close(code: 1000))
        settle()
        if countsUntilStable { backoff.failureUntilStable() }
        retry(why)
        return take()
    }

    /// Resets the state that belongs to the current transport.
    mutating func settle() {
        if phase == .live { backoff.successEnded(after: timers.now - liveSince) }
        reconnectAfter = nil
        deadReason = .dead
        isExtended = false
        timers.clear(.connecting, .ping, .pong, .stable)
        phase = .waiting
    }

    mutating func retry(_ why: ConnectionReason, asked: Int64? = nil) {
        // After a stream was lost, the network may be another one: a socket is tried first, then streams again.
        if transport == .eventStream, [.network, .dead, .sleep].contains(why) { streamUntil = -1 }
        let pause = backoff.next()
        guard let asked else { return wait(why, pause) }
        wait(why, min(max(asked, 0), RetryBackoff.longestAsked), isAsked: true)
    }

    mutating func wait(_ why: ConnectionReason, _ milliseconds: Int64, isAsked: Bool = false) {
        phase = .waiting
        isAskedPause = isAsked
        retryAt = timers.now + milliseconds
        timers.set(.retry, after: milliseconds)
        set(.offline, why, milliseconds)
    }

    mutating func end(_ state: ConnectionState, _ why: ConnectionReason) -> [Action] {
        guard self.state != .closed else { return take() }
        if isOpen { actions.append(.close(code: 1000)) }
        if state == .signedOut { (hasToken, tokenArrivedAt, tokenEndsAt) = (false, nil, .max) }
        settle()
        phase = .stopped
        retryAt = nil
        // Without `run()` nobody makes the call that is under way.
        asking = nil
        timers.clearAll()
        if self.state != state || reason != why { set(state, why) }
        return take()
    }

    mutating func ask(_ why: TokenReason) {
        guard !isAsking else { return }
        asking = why
        timers.clear(.renew)
        timers.set(.token, after: Self.tokenTimeout)
        actions.append(.token(why))
    }

    mutating func endTokenCall() {
        asking = nil
        timers.clear(.token)
    }

    mutating func set(_ state: ConnectionState, _ why: ConnectionReason, _ retryIn: Int64? = nil) {
        let previous = self.state
        self.state = state
        reason = why
        actions.append(.state(state, previous: previous, why, retryInMilliseconds: retryIn))
    }

    mutating func take() -> [Action] {
        defer { actions = [] }
        return actions
    }

    static func reason(ofCloseCode code: UInt16) -> ConnectionReason {
        switch code {
        case 1001, 1012: .restart
        case 1013: .busy
        case 1002, 1003, 1007, 1008, 1009, 4403, 4404: .protocol
        default: .network
        }
    }
}
