import ChatEvents
import CommonUtil
import NIOCore

/// The way to one client's socket. Confined to the socket's event loop.
protocol SessionTransport: AnyObject {
    /// Whether less is queued than the session may have queued. Turns false and true again as the client reads.
    var isWritable: Bool { get }
    /// Bytes queued here because the socket did not take them yet.
    var queuedBytes: Int { get }
    /// All bytes that were ever queued.
    var bytesWritten: Int { get }
    /// Queues one or more whole frames, to be sent with those that follow.
    func write(_ frames: ByteBuffer)
    /// Sends what is queued, as far as the socket takes it.
    func flush()
    /// Sends one or more whole frames now, after what is queued.
    func send(_ frames: ByteBuffer)
    /// Sends a close frame and ends the connection; what is written after this is dropped.
    func close(_ reason: CloseReason)
    /// Ends the connection at once: nobody is there to be told.
    func abort()
}

extension SessionTransport {
    func send(_ event: SessionEvent) { send(WebSocketFrame.text(event.jsonBytes)) }
}

/// One socket of one room: a cursor over the room's log. Confined to the socket's event loop.
///
/// A session is live, or it is catching up: after an absence, or because it reads more slowly than the room talks.
/// Then it is fed from the ring and the log as its socket drains, so what is queued for it stays bounded.
final class ChatSession {
    enum Phase: Equatable {
        case live
        /// - announces: whether `caught_up` is owed at the end.
        case catchingUp(announces: Bool)
        /// The connection is closing or gone. Every write can lead here: one that fails closes the connection before it
        /// returns.
        case ended
    }

    let id: String
    let roomID: RoomID
    let userID: UserID?
    /// The event loop that the session lives on, by its number among the server's.
    let shard: Int
    let transport: any SessionTransport
    /// The room's feed, and a place among the sockets that may be open.
    let leases: (feed: Lease, place: Lease)

    /// The room's head when the user was let in, which `ready` told: what the log says of the user's coming and going up to
    /// there is history, and nothing is caught up before it.
    let admittedAt: Seq

    /// The highest `seq` that was sent, or that the client said it has.
    var cursor: Seq
    var phase: Phase
    /// Whether a page of the log is on its way to this session.
    var isReading = false
    var gap = LogGap()
    var heartbeat = Heartbeat()
    /// When the wheel looked at the heartbeat last, and when it does next, in its ticks.
    var heartbeatDue: (since: Int, tick: Int) = (0, 0)
    /// `nil` for a user who was believed without a token.
    var token: TokenLifetime?

    init(
        id: String, roomID: RoomID, userID: UserID?, token: TokenLifetime?, admittedAt: Seq, shard: Int,
        transport: any SessionTransport, leases: (feed: Lease, place: Lease)
    ) {
        self.id = id
        self.roomID = roomID
        self.userID = userID
        self.token = token
        self.admittedAt = admittedAt
        cursor = admittedAt
        phase = .live
        self.shard = shard
        self.transport = transport
        self.leases = leases
    }

    /// Whether an event says that this session's user is no longer a member: the last one that the session may get.
    func isEnded(by event: MessageEvent) -> Bool {
        event.type == .memberLeft && userID != nil && event.userID == userID && (event.seq ?? 0) > admittedAt
    }
}
