import ChatEvents
import CommonAuth
import CommonUtil
import DequeModule
import NIOCore

/// One client's connection that gets events. Confined to the connection's event loop.
///
/// It has a ``RoomSubscription`` for each room whose events it gets, which is its place in that room's log. So a session of one
/// room and a session of all rooms of a user are sent events, catch up and fall behind alike.
final class ChatSession {
    let id: SessionID
    let userID: UserID?
    /// Index of the session's event loop among the server's.
    let shard: Int
    let transport: any SessionTransport
    /// How events are encoded for the transport.
    let format: EventFormat
    /// The only subscription of a session of one room.
    private(set) var subscription: RoomSubscription?
    /// What a session of a user has; `nil` for one of a room.
    let user: UserSession?
    /// Subscriptions that catch up and do not wait for the log, in turn.
    private(set) var behind: Deque<RoomSubscription> = []
    /// Whether a page of a log is being read. A session reads one at a time, whatever the number of its rooms.
    var isReadingLog = false
    /// Number of subscriptions that catch up.
    private(set) var catchingUpCount = 0
    private(set) var hasEnded = false
    /// The phase in which metrics count the session; `nil` before it is registered.
    var countedPhase: SessionCursor.Phase?
    /// Its place among the sessions of its event loop.
    var index = 0
    /// Detects that the peer no longer responds.
    var heartbeat: Heartbeat
    /// When the wheel looked at the heartbeat last, and when it does next, in its ticks.
    var heartbeatDue: (since: Int, tick: Int) = (0, 0)
    /// `nil` for a user that was not authenticated by a token.
    var token: TokenLifetime?
    private let leases: (slot: Lease, feed: Lease?)

    /// Begins a session of one room.
    /// - Parameters:
    ///   - admission: what the server knows about the client.
    ///   - now: the time from which the token's lifetime counts if it names no beginning.
    init(
        id: SessionID = .random(), admission: AuthorizedAdmission, transport: any SessionTransport,
        now: Timestamp = .now
    ) {
        let stage = admission.stage
        self.id = id
        userID = stage.user?.userID
        shard = admission.shard
        self.transport = transport
        format = transport.format
        heartbeat = Heartbeat(expectsAnswers: format.isTwoWay)
        token = stage.user.flatMap { [isRenewable = format.isTwoWay] in
            TokenLifetime($0, isRenewable: isRenewable, now: now)
        }
        leases = (stage.slot, stage.feed)
        user = nil
        subscription = RoomSubscription(
            session: self, roomID: admission.request.roomID,
            cursor: SessionCursor(
                admissionHead: stage.head, lastSeq: admission.request.lastSeq, mark: stage.cursorMark))
        catchingUpCount = 1
    }

    /// Begins a session of all rooms of a user.
    init(
        id: SessionID = .random(), admission: UserAdmission, transport: any SessionTransport, user: UserSession,
        now: Timestamp = .now
    ) {
        self.id = id
        userID = admission.user.userID
        shard = admission.shard
        self.transport = transport
        format = transport.format
        heartbeat = Heartbeat(expectsAnswers: format.isTwoWay)
        token = TokenLifetime(admission.user, isRenewable: format.isTwoWay, now: now)
        leases = (admission.slot, nil)
        self.user = user
    }

    /// The first event of a session of one room.
    func ready(_ admission: AuthorizedAdmission) -> SessionEvent {
        .ready(
            sessionID: id.description, admission.request.roomID, userID, seq: admission.stage.head,
            mark: admission.stage.headMark, heartbeatSeconds: heartbeat.interval.components.seconds)
    }

    /// The session's phase, as metrics count it: it catches up while one of its subscriptions does.
    var phase: SessionCursor.Phase {
        hasEnded ? .ended : catchingUpCount > 0 || user?.isSynced == false ? .catchingUp : .live
    }

    /// All its subscriptions.
    var subscriptions: [RoomSubscription] {
        user.map { $0.subscriptions.elements } ?? subscription.map { [$0] } ?? []
    }

    /// Adds a room to a session of a user.
    func insert(_ subscription: RoomSubscription) {
        user?.insert(subscription)
        catchingUpCount += 1
    }

    /// Removes a room from a session of a user. Its cursor has ended.
    func remove(_ subscription: RoomSubscription) {
        user?.remove(subscription.roomID)
        dequeue(subscription)
    }

    /// Notes that the phase of a subscription has changed.
    func subscriptionMoved(from old: SessionCursor.Phase, to new: SessionCursor.Phase) {
        if old == .catchingUp { catchingUpCount -= 1 }
        if new == .catchingUp { catchingUpCount += 1 }
    }

    /// Gives a subscription that catches up its turn, after those that have one.
    func enqueue(_ subscription: RoomSubscription) {
        if !hasEnded, subscription.cursor.phase == .catchingUp { behind.append(subscription) }
    }

    /// Ends the turn of the first subscription.
    func dequeue() { behind.removeFirst() }

    /// Removes the turns of a subscription that has ended.
    func dequeue(_ subscription: RoomSubscription) { behind.removeAll { $0 === subscription } }

    /// Ends the session: it lets its subscriptions go, which hold it.
    func end() {
        hasEnded = true
        subscription = nil
        behind = []
        user?.removeAll()
    }
}
