import ChatEvents
import ChatStorage
import CommonServer
import CommonUtil
import NIOCore
import NIOPosix

/// One client's event stream: the transport of its session, over an HTTP response that does not end by itself. Confined to the
/// connection's event loop.
///
/// Every `flush` can call back before it returns: NIO reads a connection whose write failed, and closes it. So all state is
/// changed first, and writing is the last action of each method.
final class EventStreamConnection: SessionTransport, ResponseStream {
    /// Time in which the client has to take the end of its stream.
    private static let closeTimeout = TimeAmount.seconds(5)
    /// Time after which a client connects again when its stream has ended for a reason that passes, in milliseconds.
    private static let retryDelay: ClosedRange<Int64> = 500...5_000

    private let connection: StreamConnection
    private let services: WebSocketServices
    let format: EventFormat
    /// The admission, until the session begins. From then on only the session holds its leases.
    private var admission: SocketAdmission?
    /// Where the stream of a user goes on; `nil` for one that begins.
    private let cursor: String?
    private var session: ChatSession?
    /// What a session of a user has.
    private var user: UserSessionHandle?
    private var writer: SocketWriter
    private var closeDeadline: Scheduled<Void>?

    /// - Parameter cursor: where the stream of a user goes on; `nil` for one that begins.
    init(
        _ connection: StreamConnection, admission: SocketAdmission, cursor: String?, services: WebSocketServices
    ) {
        self.connection = connection
        self.admission = admission
        self.cursor = cursor
        self.services = services
        format =
            switch admission {
            case .room: .eventStream
            case .user: .userEventStream
            }
        // Before the writer, whose bound it is under TLS: with two bounds, bytes between them end no wait.
        try? connection.channel.syncOptions?.setOption(.writeBufferWaterMark, value: SocketWriter.watermark)
        // Responses to earlier requests of the connection.
        writer = SocketWriter(connection.channel, mayBeQueued: true)
    }

    // MARK: Lifetime

    func begin(_ head: ByteBuffer) {
        services.openSockets.opened()
        services.metrics.streamBegan()
        endIfUnacknowledged()
        switch admission.take() {
        case .room(let admission): begin(admission, head)
        case .user(let admission): begin(admission, head)
        case nil: break
        }
    }

    private func begin(_ admission: AuthorizedAdmission, _ head: ByteBuffer) {
        let session = ChatSession(admission: admission, transport: self)
        self.session = session
        // Where the stream begins: a client that has got nothing else yet comes back with it.
        let begin = EventStreamID(
            seq: admission.request.lastSeq ?? admission.stage.head, mark: admission.stage.cursorMark)
        let frame = EventStreamFrame.message(session.ready(admission).jsonBytes, id: begin.description)
        services.sessions.register(session, ready: Self.first(head, frame))
    }

    private func begin(_ admission: UserAdmission, _ head: ByteBuffer) {
        let user = services.userSessions.begin(admission, transport: self, on: connection.eventLoop)
        self.user = user
        session = user.session
        let request =
            cursor.map { SyncRequest(cursor: RoomListCursor(text: $0), namesAllRooms: true) } ?? SyncRequest()
        user.synchronize(request)
        services.sessions.register(userSession: user.session, ready: Self.first(head, user.ready))
    }

    /// The head of the response, the reconnection time and the first event.
    private static func first(_ head: ByteBuffer, _ ready: ByteBuffer) -> ByteBuffer {
        var first = head
        first.writeImmutableBuffer(EventStreamFrame.retry(milliseconds: EventStreamFrame.reconnectionTime))
        first.writeImmutableBuffer(ready)
        return first
    }

    /// Ends the connection of a peer that has vanished. It cannot answer a ping, so the kernel has to find out: it waits for
    /// the acknowledgement of what it has sent (`TCP_USER_TIMEOUT`, `tcp(7)`).
    private func endIfUnacknowledged() {
        let milliseconds = Int(Heartbeat.stallTime / .milliseconds(1))
        try? connection.channel.syncOptions?.setOption(.tcpOption(.userTimeout), value: milliseconds)
    }

    func writabilityChanged() {
        if connection.channel.isWritable, let session { services.sessions.advance(session) }
    }

    func connectionClosed() {
        closeDeadline?.cancel()
        closeDeadline = nil
        services.openSockets.closed()
        services.metrics.streamEnded()
        writer.finish()
        end(.abnormal)
    }

    /// Removes the session: nothing is delivered to it any more.
    private func end(_ code: CloseCode) {
        guard let session = session.take() else { return }
        services.metrics.ended(code)
        services.sessions.remove(session)
        user.take()?.end()
    }

    // MARK: Writing

    var isWritable: Bool { writer.isWritable }

    var queuedBytes: Int { writer.queuedBytes }

    var bytesWritten: Int { writer.bytesWritten }

    func write(_ frames: ByteBuffer) {
        if let held = writer.makeWay(for: frames) { connection.write(held) }
        if let now = writer.write(frames) { connection.write(now) }
    }

    func flush() {
        switch writer.flush() {
        case .nothing: break
        case .flush: connection.flush()
        case .writeAndFlush(let rest):
            connection.write(rest)
            connection.flush()
        }
    }

    func send(_ frames: ByteBuffer) {
        guard let rest = writer.send(frames) else { return }
        connection.write(rest)
        connection.flush()
    }

    func ping() { send(EventStreamFrame.comment) }

    // MARK: The end

    func close(_ reason: CloseReason) {
        guard session != nil else { return }
        end(reason.code)
        closeDeadline = connection.eventLoop.assumeIsolated().scheduleTask(in: Self.closeTimeout) { self.abort() }
        let last =
            reason.code.isTransient
            ? EventStreamFrame.retry(milliseconds: .random(in: Self.retryDelay)) : EventStreamFrame.close(reason)
        let rest = writer.send(last)
        writer.finish()
        if let rest { connection.write(rest) }
        connection.end()
    }

    func abort() { connection.abort() }
}

extension NIOBSDSocket.Option {
    fileprivate static let userTimeout = Self(rawValue: TCP_USER_TIMEOUT)
}
