/// The posts of all rooms that are not stored by the server yet. Each room has one attempt at a time, in the order in
/// which its posts are kept in the store; rooms are independent. Pure: each input returns the actions to carry out, in
/// order. A `keep` is carried out before the actions after it.
struct Outbox: Sendable {
    enum Action: Sendable, Equatable {
        /// The present state of the post is to be stored.
        case keep(String, isLast: Bool = false)
        /// The present payload of a post is to be stored, unless the store shows that an attempt was begun.
        /// - Parameter former: the post before the change.
        case keepEdited(former: OwnPost)
        /// The post is to be removed from the store: the server has it, or it is given up (`nil`).
        case keepDone(String, StoredPosition?)
        /// The post is to be removed from the store, unless that shows that an attempt was begun.
        case keepDiscarded(OwnPost)
        case post(String, PostState)
        case stored(String, StoredPosition)
        case send(String)
        case rejected(String, ChatError.Code)
        case edited(String, isChanged: Bool)
        case discarded(String, isGone: Bool)
        /// Another call is needed to find out whether the server fails at every call.
        case probe
    }

    private static let maximumServerErrors = 20

    /// Keys in the order of the store.
    var order: [String] = []
    var entries: [String: OwnPost] = [:]
    private var timers: Timers<String>
    private let random: RandomSource
    private var backoffs: [String: RetryBackoff] = [:]
    /// Rooms whose pause was requested by the server.
    private var asked: Set<String> = []
    /// By room, the post that is being sent.
    var sending: [String: String] = [:]
    var isSender: Bool
    private var isHeld = false
    var actions: [Action] = []

    init(now: Int64 = 0, posts: [OwnPost] = [], isSender: Bool = true, random: @escaping RandomSource) {
        timers = Timers(now: now)
        self.random = random
        self.isSender = isSender
        for post in posts { insert(post) }
    }

    var posts: [OwnPost] { order.compactMap { entries[$0] } }
    var isEmpty: Bool { order.isEmpty }
    var nextDeadline: Int64? { timers.next }
    func post(_ key: String) -> OwnPost? { entries[key] }

    mutating func timePassed(_ now: Int64) -> [Action] {
        while let roomID = timers.advance(to: now) {
            asked.remove(roomID)
            next(roomID)
        }
        return take()
    }

    /// - Parameter isSender: whether this process is the one that sends.
    mutating func sender(_ isSender: Bool) -> [Action] {
        self.isSender = isSender
        return nextOfAll()
    }

    /// Nobody is signed in.
    mutating func hold() -> [Action] {
        isHeld = true
        return take()
    }

    mutating func resume() -> [Action] {
        isHeld = false
        return nextOfAll()
    }

    /// The network is available again: all pauses end, except those that the server requested.
    mutating func wake() -> [Action] {
        for roomID in backoffs.keys where !asked.contains(roomID) { timers.clear(roomID) }
        return nextOfAll()
    }

    // MARK: The application

    /// Adds a post, which is stored before it is sent. A known key with the same content is the same post; with other
    /// content it is rejected.
    mutating func add(_ post: OwnPost) -> [Action] {
        if let known = entries[post.key] {
            if !known.hasSameContent(as: post) { actions.append(.rejected(post.key, .clientMessageIDReused)) }
        } else {
            insert(post)
            actions.append(.keep(post.key))
        }
        return take()
    }

    /// The store has it.
    /// - Parameter payload: as the store has it. Another process may have changed it before the attempt was stored.
    mutating func kept(_ key: String, payload: JSONValue? = nil) -> [Action] {
        if let payload { entries[key]?.payload = payload }
        if let post = entries[key], post.state == .new {
            set(key, .queued)
            next(post.roomID)
        }
        return take()
    }

    /// The store could not keep a new post.
    mutating func notKept(_ key: String) -> [Action] {
        if entries[key]?.state == .new {
            remove(key)
            actions.append(.discarded(key, isGone: true))
        }
        return take()
    }

    /// Changes a post before the first attempt to send it, of whichever process; later the message has to be edited
    /// once it is stored.
    mutating func edit(_ key: String, payload: JSONValue) -> [Action] {
        let former = entries[key].flatMap { $0.isOpen ? $0 : nil }
        if let former {
            entries[key]?.payload = payload
            actions.append(.keepEdited(former: former))
        }
        actions.append(.edited(key, isChanged: former != nil))
        return take()
    }

    /// Gives a post up.
    mutating func discard(_ key: String) -> [Action] {
        if let post = entries[key], post.state == .sending {
            entries[key]?.isUnwanted = true
        } else if let post = entries[key], post.isOpen {
            discard(post, isGone: post.state != .refused || post.isCertain, keep: .keepDiscarded(post))
            next(post.roomID)
        } else {
            actions.append(.discarded(key, isGone: false))
        }
        return take()
    }

    /// Puts a refused post at the end of its line; a waiting one is sent now.
    mutating func retry(_ key: String) -> [Action] {
        guard let post = entries[key] else { return take() }
        if post.state == .refused {
            order.removeAll { $0 == key }
            order.append(key)
            entries[key]?.errorCode = nil
            entries[key]?.errorStatus = nil
            entries[key]?.isCertain = true
            entries[key]?.serverErrors = 0
            actions.append(.keep(key, isLast: true))
            set(key, .queued)
        }
        timers.clear(post.roomID)
        asked.remove(post.roomID)
        next(post.roomID)
        return take()
    }

    // MARK: Responses

    /// The present attempt was made twice: the outcome of the first one is not known.
    mutating func repeated(_ key: String) { entries[key]?.wasTried = true }

    mutating func answer(
        _ key: String, status: Int, code: String? = nil, isProblem: Bool = false, retryAfterMilliseconds: Int64? = nil,
        stored: StoredPosition? = nil
    ) -> [Action] {
        if status < 500 { othersAnswered(except: key) }
        guard let post = entries[key], sending[post.roomID] == key else { return take() }
        sending[post.roomID] = nil
        switch status {
        case 200..<300:
            guard let stored else {
                entries[key]?.isTried = true
                scheduleRetry(key, nil)
                break
            }
            self.stored(post, stored)
        case 401, 408, 425, 429, 500...:
            // These say for certain that this attempt stored nothing.
            let storedNothing = status == 401 || status == 425 || status == 429
            entries[key]?.isTried = storedNothing ? post.wasTried : true
            entries[key]?.isSuspect = status == 500 && isProblem
            scheduleRetry(key, retryAfterMilliseconds)
            if entries[key]?.isSuspect == true { actions.append(.probe) }
        default:
            let isCertain = !(post.wasTried && (status == 403 || status == 404))
            // Retried, a post that was certainly not stored is as new.
            entries[key]?.isTried = !isCertain
            if post.isUnwanted {
                discard(post, isGone: isCertain)
            } else {
                refuse(key, code: code, status: status, isCertain: isCertain)
            }
            answered(post.roomID)
        }
        return take()
    }

    /// - Parameter isUnsent: whether the attempt ended before the request was sent.
    mutating func noAnswer(_ key: String, retryAfterMilliseconds: Int64? = nil, isUnsent: Bool = false) -> [Action] {
        guard let post = entries[key], sending[post.roomID] == key else { return take() }
        sending[post.roomID] = nil
        entries[key]?.isTried = !isUnsent || post.wasTried
        scheduleRetry(key, retryAfterMilliseconds)
        return take()
    }

    /// Any other call of this client was answered below 500.
    mutating func otherAnswered() -> [Action] {
        othersAnswered(except: nil)
        return take()
    }

    /// The log shows a post of this user.
    mutating func logged(_ key: String, _ place: StoredPosition) -> [Action] {
        if let post = entries[key] {
            if sending[post.roomID] == key { sending[post.roomID] = nil }
            // A pause that the server asked for (`Retry-After`) still holds.
            stored(post, place, isAnswered: !asked.contains(post.roomID))
        }
        return take()
    }

    // MARK: Steps

    private mutating func insert(_ post: OwnPost) {
        order.append(post.key)
        entries[post.key] = post
    }

    mutating func remove(_ key: String) {
        order.removeAll { $0 == key }
        entries[key] = nil
    }

    private mutating func othersAnswered(except key: String?) {
        for other in order where other != key {
            guard let post = entries[other], post.isSuspect else { continue }
            entries[other]?.isSuspect = false
            entries[other]?.serverErrors += 1
            // All other requests are answered, so this post is the cause.
            if post.serverErrors + 1 >= Self.maximumServerErrors, post.state == .queued {
                refuse(other, code: ChatError.Code.serverError.rawValue, status: 500, isCertain: true)
                answered(post.roomID)
            }
        }
    }

    private mutating func stored(_ post: OwnPost, _ place: StoredPosition, isAnswered: Bool = true) {
        remove(post.key)
        actions.append(.keepDone(post.key, place))
        actions.append(.stored(post.key, place))
        if post.isUnwanted { actions.append(.discarded(post.key, isGone: false)) }
        if isAnswered { answered(post.roomID) }
    }

    private mutating func refuse(_ key: String, code: String?, status: Int, isCertain: Bool) {
        entries[key]?.errorCode = code
        entries[key]?.errorStatus = status
        entries[key]?.isCertain = isCertain
        actions.append(.keep(key))
        set(key, .refused)
    }

    private mutating func discard(_ post: OwnPost, isGone: Bool, keep: Action? = nil) {
        remove(post.key)
        actions.append(keep ?? .keepDone(post.key, nil))
        actions.append(.discarded(post.key, isGone: isGone))
    }

    /// The server works for this room: the next post is sent without a pause.
    private mutating func answered(_ roomID: String) {
        backoffs[roomID] = nil
        asked.remove(roomID)
        timers.clear(roomID)
        next(roomID)
    }

    private mutating func scheduleRetry(_ key: String, _ retryAfter: Int64?) {
        guard let post = entries[key] else { return }
        var pause = backoffs[post.roomID, default: RetryBackoff(random: random)].next()
        if let retryAfter {
            pause = min(max(retryAfter, 0), RetryBackoff.longestAsked)
            asked.insert(post.roomID)
        }
        // Also if the post is given up now: the pause is one of its room.
        timers.set(post.roomID, after: pause)
        if post.isUnwanted {
            entries[key]?.isUnwanted = false
            guard post.isTried else { return discard(post, isGone: true) }
            actions.append(.discarded(key, isGone: false))
        }
        // As before the attempt: every process may change it again.
        if !post.isTried { actions.append(.keep(key)) }
        set(key, .queued)
    }

    mutating func nextOfAll() -> [Action] {
        var seen: Set<String> = []
        for post in posts where seen.insert(post.roomID).inserted { next(post.roomID) }
        return take()
    }

    mutating func next(_ roomID: String) {
        guard isSender, !isHeld, sending[roomID] == nil, !timers.has(roomID) else { return }
        let waiting = order.first { entries[$0]?.roomID == roomID && entries[$0]?.state == .queued }
        guard let key = waiting, let post = entries[key] else { return }
        sending[roomID] = key
        // The attempt is stored before it is made: a process that sends the post after a crash has to know of it.
        entries[key]?.wasTried = post.isTried
        if !post.isTried {
            entries[key]?.isTried = true
            actions.append(.keep(key))
        }
        set(key, .sending)
        actions.append(.send(key))
    }

    mutating func set(_ key: String, _ state: PostState) {
        entries[key]?.state = state
        actions.append(.post(key, state))
    }

    mutating func take() -> [Action] {
        defer { actions = [] }
        return actions
    }
}
