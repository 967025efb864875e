/// What the inputs of a connection lead to.
extension Connection {
    mutating func happen(_ timer: Timer) {
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
        phase = .opening
        let former = transport
        transport = timers.now < streamUntil ? .eventStream : .webSocket
        timers.set(.connecting, after: Self.connectingTimeout)
        // REST may have answered while a handshake was under way. That is the reason then, not how the handshake failed.
        set(.connecting, former == .webSocket && transport == .eventStream ? .unsupported : why)
        actions.append(.open(transport))
    }

    mutating func tokenRefused() {
        hasToken = false
        pauses.attempts += 1
        // At once the first time: a token that has ended is the usual cause.
        guard pauses.attempts == 1 else {
            return wait(.token, Pauses.pause(attempt: pauses.attempts - 2, random: random))
        }
        set(.offline, .token)
        connect(.token)
    }

    mutating func tokenCallFailed() {
        endTokenCall()
        let pause = Pauses.pause(attempt: tokenFailures, random: random)
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

    mutating func drop(_ why: ConnectionReason, isStrike: Bool = true) -> [Action] {
        guard isOpen else { return take() }
        actions.append(.close(code: 1000))
        settle()
        if isStrike { pauses.strike() }
        retry(why)
        return take()
    }

    /// Ends what belongs to the transport of now.
    mutating func settle() {
        if phase == .live { pauses.lived(timers.now - liveSince) }
        reconnectAfter = nil
        deadReason = .dead
        timers.clear(.connecting, .ping, .pong, .stable)
        phase = .waiting
    }

    mutating func retry(_ why: ConnectionReason, asked: Int64? = nil) {
        // Where the network has lost a stream it may be another network by now: a socket is tried, and after it streams again.
        if transport == .eventStream, [.network, .dead, .sleep].contains(why) { streamUntil = -1 }
        let pause = pauses.next()
        guard let asked else { return wait(why, pause) }
        wait(why, min(max(asked, 0), Pauses.longestAsked), isAsked: true)
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
        // A call that is under way serves REST calls, too.
        let keepsAsking = isAsking && state == .offline
        if state == .signedOut { (hasToken, tokenArrivedAt, tokenEndsAt) = (false, nil, .max) }
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
