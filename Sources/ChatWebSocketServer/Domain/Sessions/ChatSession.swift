import ChatEvents
import CommonAuth
import CommonUtil
import NIOCore

/// One socket of one room. Confined to the socket's event loop.
///
/// Its ``cursor`` is its place in the room's log and decides what it is sent. A session of several rooms would have a cursor
/// for each of them.
final class ChatSession {
    let id: SessionID
    let roomID: RoomID
    let userID: UserID?
    /// Index of the session's event loop among the server's.
    let shard: Int
    let transport: any SessionTransport
    /// The session's place in the room's log.
    // Without the runtime's exclusivity check, which would be 84 instructions of each delivery. A cursor calls nothing back.
    @exclusivity(unchecked) var cursor: SessionCursor
    /// The room on this event loop, while the session is registered with it.
    var room: RoomSessions?
    /// Detects that the peer no longer responds.
    var heartbeat = Heartbeat()
    /// When the wheel looked at the heartbeat last, and when it does next, in its ticks.
    var heartbeatDue: (since: Int, tick: Int) = (0, 0)
    /// `nil` for a user that was not authenticated by a token.
    var token: TokenLifetime?
    private let leases: (feed: Lease, slot: Lease)

    /// Begins a session.
    /// - Parameters:
    ///   - admission: what the server knows about the client.
    ///   - now: the time from which the token's lifetime counts if it names no beginning.
    init(
        id: SessionID = .random(), admission: AuthorizedAdmission, transport: any SessionTransport,
        now: Timestamp = .now
    ) {
        let stage = admission.stage
        self.id = id
        roomID = admission.request.roomID
        userID = stage.user?.userID
        shard = admission.shard
        self.transport = transport
        cursor = SessionCursor(admissionHead: stage.head, lastSeq: admission.request.lastSeq)
        token = stage.user.flatMap { TokenLifetime($0, now: now) }
        leases = (stage.feed, stage.slot)
    }
}

/// A room's sessions on one event loop. Confined to that loop.
final class RoomSessions {
    /// The room as this event loop has dispatched it.
    // Without the exclusivity check, like ``ChatSession/cursor``: every dispatch changes it.
    @exclusivity(unchecked) var tail: RoomTail
    /// The ring's slot in the loop's ``RingBudget``; `nil` while the ring is empty.
    var ringSlot: RingBudget<RoomSessions>.Slot?
    /// The room's sessions, in no particular order.
    private(set) var sessions: [ChatSession] = []
    private var indexes: [ObjectIdentifier: Int] = [:]

    /// - Parameter position: what this event loop starts after.
    init(position: Seq) { tail = RoomTail(position: position) }

    /// Adds a session.
    func insert(_ session: ChatSession) {
        indexes[ObjectIdentifier(session)] = sessions.count
        sessions.append(session)
        session.room = self
    }

    /// Removes a session in constant time: the last one takes its place.
    func remove(_ session: ChatSession) {
        guard let index = indexes.removeValue(forKey: ObjectIdentifier(session)) else { return }
        session.room = nil
        let last = sessions.removeLast()
        guard index < sessions.count else { return }
        sessions[index] = last
        indexes[ObjectIdentifier(last)] = index
    }
}

/// The way to one client's socket. Confined to the socket's event loop.
///
/// Every write can end the session before it returns: a write that fails closes the connection.
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
    /// Ends the connection at once, without a close frame: the peer does not respond.
    func abort()
}

extension SessionTransport {
    /// Sends an event about the session itself.
    func send(_ event: SessionEvent) { send(WebSocketFrame.text(event.jsonBytes)) }
}

/// Something held from admission to the end of a session: the room's feed, a slot among the open sockets. It is released by
/// deallocation, so that no path out of a handshake can leak it.
final class Lease: Sendable {
    private let onRelease: @Sendable () -> Void

    init(onRelease: @escaping @Sendable () -> Void) { self.onRelease = onRelease }

    deinit { onRelease() }
}

/// The id of one session, which the client gets in `ready`: 80 random bits.
///
/// Two integers instead of a string, which would be an allocation for each socket.
struct SessionID: Hashable, Sendable {
    private let high: UInt16
    private let low: UInt64

    private init(high: UInt16, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// Makes an id that no other session has.
    static func random() -> SessionID {
        SessionID(high: .random(in: .min ... .max), low: .random(in: .min ... .max))
    }
}

extension SessionID: CustomStringConvertible {
    /// 16 characters of five bits each, without those that are easily mistaken for others.
    var description: String {
        let alphabet: StaticString = "abcdefghjkmnpqrstvwxyz0123456789"
        return String(unsafeUninitializedCapacity: 16) { text in
            var (high, low) = (high, low)
            for index in 0..<16 {
                text[index] = alphabet.utf8Start[Int(low & 0x1F)]
                low = low >> 5 | UInt64(high & 0x1F) << 59
                high >>= 5
            }
            return 16
        }
    }
}
