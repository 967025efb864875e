import CommonUtil

/// An event that a server sends to one session about the session itself.
public enum SessionEvent: Equatable, Sendable {
    /// The first frame. `seq` is the room's head, `mark` that of the event there.
    case ready(sessionID: String, RoomID, UserID?, seq: Seq, mark: EventMark? = nil, heartbeatSeconds: Int64)
    /// Everything after the session's `lastSeq` up to `seq` has been sent; what follows is live.
    case caughtUp(RoomID, seq: Seq, mark: EventMark? = nil)
    case tokenExpiring(expiresAt: Timestamp)
    /// This server is about to close; the client should connect again `afterMs` milliseconds after the close.
    case reconnect(afterMs: Int64, reason: String)
    case pong
    /// A client frame was not accepted. The socket stays open.
    case error(FrameError)
}

/// Why a client frame was not accepted.
public struct FrameError: Error, Equatable, Sendable {
    /// The stable `code` of the `error` event.
    public enum Code: String, CaseIterable, Sendable {
        case malformedFrame = "malformed_frame"
        case unknownType = "unknown_type"
        case invalidField = "invalid_field"
        case wrongUser = "wrong_user"
        case invalidToken = "invalid_token"
        case notAllowed = "not_allowed"
        case unavailable
        // Of user sockets.
        case badMessage = "bad_message"
        case notSynced = "not_synced"
        case alreadySynced = "already_synced"
        case tooManyRooms = "too_many_rooms"
        case tooManyOpen = "too_many_open"
        case roomNotFound = "room_not_found"
    }

    /// For programs: what was wrong.
    public let code: Code
    /// For the client's developer, in English.
    public let message: String

    /// - Parameter message: for the client's developer.
    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }
}

extension SessionEvent: JSONEncodable {
    /// Writes the contract's event.
    public func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member(EventKey.eventType, type.rawValue)
            switch self {
            case .ready(let sessionID, let roomID, let userID, let seq, let mark, let heartbeatSeconds):
                writer.member(EventKey.sessionID, sessionID)
                writer.member(EventKey.roomID, roomID.rawValue)
                writer.member(EventKey.userID, ifPresent: userID?.rawValue)
                writer.member(EventKey.seq, seq)
                writer.member(mark: mark)
                writer.member(EventKey.heartbeatSeconds, heartbeatSeconds)
            case .caughtUp(let roomID, let seq, let mark):
                writer.member(EventKey.roomID, roomID.rawValue)
                writer.member(EventKey.seq, seq)
                writer.member(mark: mark)
            case .tokenExpiring(let expiresAt):
                writer.member(EventKey.expiresAt, expiresAt)
            case .reconnect(let afterMs, let reason):
                writer.member(EventKey.afterMs, afterMs)
                writer.member(EventKey.reason, reason)
            case .pong:
                break
            case .error(let error):
                writer.member(EventKey.code, error.code.rawValue)
                writer.member(EventKey.message, error.message)
            }
        }
    }

    private var type: EventType {
        switch self {
        case .ready: .ready
        case .caughtUp: .caughtUp
        case .tokenExpiring: .tokenExpiring
        case .reconnect: .reconnect
        case .pong: .pong
        case .error: .error
        }
    }
}
