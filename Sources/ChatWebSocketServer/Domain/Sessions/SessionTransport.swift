import ChatEvents
import CommonUtil
import NIOCore

/// The way to one client's socket. Confined to the socket's event loop.
///
/// Every write can end the session before it returns: a write that fails closes the connection.
protocol SessionTransport: AnyObject {
    /// How events are encoded for this transport.
    var format: EventFormat { get }
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
    /// Sends something that the peer has to respond to, or nothing where a peer cannot.
    func ping()
    /// Ends the connection at once, without a close frame: the peer does not respond.
    func abort()
}

extension SessionTransport {
    /// Sends an event about the session itself.
    func send(_ event: SessionEvent) { send(format.encode(event)) }

    /// Queues an event about the session itself.
    func write(_ event: SessionEvent) { write(format.encode(event)) }
}

/// How events are encoded on their way to a client. The JSON text is the same in each.
enum EventFormat: Sendable {
    /// A WebSocket text frame.
    case webSocket
    /// An event of `text/event-stream`; its id is a position in the room's log.
    case eventStream
    /// The same for a session of all rooms of a user, whose ids are cursors of the list of rooms.
    case userEventStream

    /// Whether clients can send something: answer pings, renew their tokens.
    var isTwoWay: Bool { self == .webSocket }

    /// Encodes an event about the session itself.
    func encode(_ event: SessionEvent) -> ByteBuffer {
        switch self {
        case .webSocket: WebSocketFrame.text(event.jsonBytes)
        case .eventStream: EventStreamFrame.message(event.jsonBytes, id: event.streamID?.description)
        case .userEventStream: EventStreamFrame.message(event.jsonBytes, id: nil)
        }
    }

    /// Encodes an event about a user's rooms.
    func encode(_ event: UserSessionEvent) -> ByteBuffer {
        switch self {
        case .webSocket: WebSocketFrame.text(event.jsonBytes)
        case .eventStream, .userEventStream: EventStreamFrame.message(event.jsonBytes, id: event.cursor)
        }
    }

    /// Encodes an event of a room; for a WebSocket it is encoded already.
    func encode(_ event: MessageEvent) -> ByteBuffer {
        switch self {
        case .webSocket: event.frame
        case .eventStream: EventStreamFrame.message(event.json, id: event.streamID?.description)
        case .userEventStream: EventStreamFrame.message(event.json, id: nil)
        }
    }
}

extension UserSessionEvent {
    /// The cursor that the event gives, if any.
    fileprivate var cursor: String? {
        switch self {
        case .synced(let cursor), .cursor(let cursor): cursor
        default: nil
        }
    }
}

extension SessionEvent {
    /// The id that the event has in a stream; `ready` gets that of the position at which its stream begins.
    fileprivate var streamID: EventStreamID? {
        if case .caughtUp(_, let seq, let mark) = self { EventStreamID(seq: seq, mark: mark) } else { nil }
    }
}

extension MessageEvent {
    /// The id that the event has in a stream: `nil` for an event that has no place in the log.
    fileprivate var streamID: EventStreamID? { seq.map { EventStreamID(seq: $0, mark: mark) } }
}
