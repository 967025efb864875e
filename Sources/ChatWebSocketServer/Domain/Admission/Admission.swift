import ChatEvents
import CommonAuth
import CommonUtil

/// A client's way from its handshake to its session. It travels in one direction, and each step adds what it found out:
///
///     requested ──authenticated(as:slot:)──► authenticated ──authorized(by:feed:)──► authorized ──► ChatSession
///
/// The stage is part of the type, so a session cannot begin with an admission that was not authorized. A step that refuses
/// throws a ``CloseReason`` instead of the next stage.
struct Admission<Stage: Sendable>: Sendable {
    let request: ConnectRequest
    /// Index of the socket's event loop among the server's.
    let shard: Int
    let stage: Stage
}

/// The client asks for a room.
typealias RequestedAdmission = Admission<AdmissionStage.Requested>
/// The user is known.
typealias AuthenticatedAdmission = Admission<AdmissionStage.Authenticated>
/// The user may have a session.
typealias AuthorizedAdmission = Admission<AdmissionStage.Authorized>
/// The end of an admission's way: what a session begins with, or why the client is refused.
typealias AdmissionResult = Result<AuthorizedAdmission, CloseReason>

/// Stages of an ``Admission``.
enum AdmissionStage {
    /// The handshake is a good one; nothing the client claims has been verified.
    struct Requested: Sendable {
        /// The access token, if the client sent one.
        let token: String?
        /// The client's IP address block, as limits count it; `nil` if no limit does.
        let address: String?
    }

    /// The user is known, and the limits granted a slot.
    struct Authenticated: Sendable {
        /// `nil` for a client of a `trusted` server that named no user.
        let user: AuthenticatedUser?
        /// The socket's slot among the open ones.
        let slot: Lease
    }

    /// The user may have a session of the room.
    struct Authorized: Sendable {
        let user: AuthenticatedUser?
        let slot: Lease
        /// Keeps the room's feed open.
        let feed: Lease
        /// The head of the room's log when the user's membership was read.
        let head: Seq
        /// The mark of the event there.
        let headMark: EventMark?
        /// The mark of the event after which the session begins.
        let cursorMark: EventMark?
    }
}

extension Admission where Stage == AdmissionStage.Requested {
    /// Makes the first stage, from a handshake.
    init(request: ConnectRequest, token: String?, address: String?, shard: Int) {
        self.init(request: request, shard: shard, stage: Stage(token: token, address: address))
    }

    /// Makes the next stage, for a user that was authenticated and got a slot.
    func authenticated(as user: AuthenticatedUser?, slot: Lease) -> AuthenticatedAdmission {
        AuthenticatedAdmission(
            request: request, shard: shard, stage: AdmissionStage.Authenticated(user: user, slot: slot))
    }
}

extension Admission where Stage == AdmissionStage.Authenticated {
    /// Makes the last stage, for a user that may have a session of the room.
    func authorized(by authorization: RoomAuthorization, feed: Lease) -> AuthorizedAdmission {
        AuthorizedAdmission(
            request: request, shard: shard,
            stage: AdmissionStage.Authorized(
                user: stage.user, slot: stage.slot, feed: feed, head: authorization.head,
                headMark: authorization.headMark,
                cursorMark: request.lastSeq == nil ? authorization.headMark : authorization.lastMark))
    }
}

/// Something held from admission to the end of a session: the room's feed, a slot among the open sockets. It is released by
/// deallocation, so that no path out of a handshake can leak it.
final class Lease: Sendable {
    private let onRelease: @Sendable () -> Void

    init(onRelease: @escaping @Sendable () -> Void) { self.onRelease = onRelease }

    deinit { onRelease() }
}

/// A client that may have a session of all rooms of its user.
struct UserAdmission: Sendable {
    let user: AuthenticatedUser
    /// The socket's slot among the open ones.
    let slot: Lease
    /// Index of the socket's event loop among the server's.
    let shard: Int
    /// Whether the session is synchronized without a `sync` of the client.
    let synchronizesAtOnce: Bool
}

/// The facts that decide whether a user may have a session of a room.
struct RoomAuthorization: Equatable, Sendable {
    let isPublic: Bool
    let isMember: Bool
    /// The head of the room's log.
    let head: Seq
    /// The mark of the event there.
    var headMark: EventMark?
    /// The mark at the client's `lastSeq`; `nil` if the log has no such event.
    var lastMark: EventMark?
    /// The mark at the position of the room's feed; `nil` if the log has no such event.
    var positionMark: EventMark?

    /// Checks the authorization that was read for a room and a user; `nil` if there is no such room.
    /// - Parameters:
    ///   - lastSeq: the last event that the client has.
    ///   - lastMark: its mark, if the client named it.
    /// - Throws: 4404 for a room that does not exist or is hidden from the user, 4403 for a public room without membership,
    ///   and then, since no stranger may learn of a log, 4409 for a `lastSeq` beyond the head or with another mark.
    static func check(
        _ authorization: RoomAuthorization?, lastSeq: Seq?, lastMark: EventMark?, authMode: AuthMode
    ) throws(CloseReason) -> RoomAuthorization {
        guard let authorization, authorization.isMember || authorization.isPublic else {
            throw CloseReason(.noSuchRoom, "no such room")
        }
        guard authorization.isMember || authMode == .trusted else {
            throw CloseReason(.notAMember, "not a member of this room")
        }
        if let lastSeq, lastSeq > authorization.head {
            throw CloseReason(.aheadOfLog, "lastSeq \(lastSeq) is beyond the head \(authorization.head)")
        }
        if let lastMark, lastMark != authorization.lastMark {
            throw CloseReason(.aheadOfLog, "lastMark is not the mark of event \(lastSeq ?? 0)")
        }
        return authorization
    }
}

/// The query of a handshake for a user's rooms: `/ws/user[?userId=U][&from=now]`.
struct UserConnectRequest: Equatable, Sendable {
    static let path = "/ws/user"

    /// The user that the client claims to be; read in `trusted` mode only.
    let claimedUserID: UserID?
    /// Whether the session is synchronized without a `sync` of the client.
    let synchronizesAtOnce: Bool

    /// Parses a query. Of a parameter that is given twice the last value counts.
    /// - Throws: 1007, naming the parameter that is missing or invalid.
    init(query: [(key: String, value: String)], authMode: AuthMode) throws(CloseReason) {
        switch query.last(where: { $0.key == "from" })?.value {
        case nil, "": synchronizesAtOnce = false
        case "now": synchronizesAtOnce = true
        default: throw CloseReason(.invalidData, "from must be now")
        }
        claimedUserID = try ClaimedUser.read(query, authMode: authMode)
        if authMode == .trusted, claimedUserID == nil { throw CloseReason(.invalidData, "userId is required") }
    }
}

/// The `userId` of a handshake, which is believed in `trusted` mode.
enum ClaimedUser {
    /// - Returns: `nil` if there is none, or it does not count.
    /// - Throws: 1007 for one that is none.
    static func read(_ query: [(key: String, value: String)], authMode: AuthMode) throws(CloseReason) -> UserID? {
        guard authMode == .trusted, let user = query.last(where: { $0.key == "userId" })?.value else { return nil }
        guard let userID = UserID(text: user) else { throw CloseReason(.invalidData, "userId \(UserID.requirement)") }
        return userID
    }
}

/// The query of a handshake: `/ws/chat?roomId=R[&userId=U][&lastSeq=N[&lastMark=M]]`.
struct ConnectRequest: Equatable, Sendable {
    static let path = "/ws/chat"
    static let lastSeqName = "lastSeq"
    static let lastMarkName = "lastMark"

    let roomID: RoomID
    /// The user that the client claims to be; read in `trusted` mode only.
    let claimedUserID: UserID?
    /// The last event that the client has; `nil` if it wants live events only.
    let lastSeq: Seq?
    /// The mark of that event, if the client names it.
    let lastMark: EventMark?

    /// Parses a query. Of a parameter that is given twice the last value counts.
    /// - Throws: 1007, naming the parameter that is missing or invalid.
    init(query: [(key: String, value: String)], authMode: AuthMode) throws(CloseReason) {
        func value(_ name: String) -> String? { query.last { $0.key == name }?.value }

        guard let room = value("roomId") else { throw CloseReason(.invalidData, "roomId is required") }
        guard let roomID = RoomID(room) else { throw CloseReason(.invalidData, "roomId must be \(RoomID.rule)") }
        self.roomID = roomID
        lastSeq = try value(Self.lastSeqName).map { text throws(CloseReason) in
            guard let seq = Seq(text), seq >= 0, !text.hasPrefix("+"), !text.hasPrefix("-") else {
                throw CloseReason(.invalidData, "lastSeq must be an integer not below 0")
            }
            return seq
        }
        lastMark = try Self.mark(value(Self.lastMarkName), at: lastSeq)
        claimedUserID = try ClaimedUser.read(query, authMode: authMode)
    }

    /// Reads a mark; an empty value is an absent one.
    private static func mark(_ text: String?, at seq: Seq?) throws(CloseReason) -> EventMark? {
        guard let text, !text.isEmpty else { return nil }
        guard let mark = EventMark(text) else {
            throw CloseReason(.invalidData, "lastMark must be \(EventMark.rule)")
        }
        guard let seq, seq > 0 else { throw CloseReason(.invalidData, "lastMark needs the lastSeq of its event") }
        return mark
    }
}
