import ChatEvents
import CommonAuth
import CommonUtil
import NIOCore

/// Executes the frames of a client. Confined to the socket's event loop.
protocol FrameResponder: AnyObject {
    /// Executes a text frame.
    /// - Throws: the error to send to the client.
    func execute(_ text: [UInt8]) throws(FrameError)

    /// Ends what the session began: its typing.
    func sessionEnded()
}

/// Executes the frames of a socket of one room. Made with the first one, since most sockets only listen. Confined to the
/// socket's event loop.
///
/// At most one command of a kind waits for the database or for keys; of those that arrive meanwhile the newest is kept. So a
/// client cannot queue work.
final class ClientFrameResponder: FrameResponder {
    private let session: ChatSession
    private let roomID: RoomID
    private let services: WebSocketServices
    private let marks: ReadMarking
    private let renewal: TokenRenewal
    /// Whether the last `typing` of the session was true.
    private var isTyping = false

    init(session: ChatSession, roomID: RoomID, services: WebSocketServices, eventLoop: any EventLoop) {
        self.session = session
        self.roomID = roomID
        self.services = services
        marks = ReadMarking(session: session, services: services, eventLoop: eventLoop)
        renewal = TokenRenewal(session: session, services: services, eventLoop: eventLoop)
    }

    func execute(_ text: [UInt8]) throws(FrameError) {
        switch try ClientFrame(text: text) {
        case .ping:
            session.transport.send(.pong)
        case .typing(let isTyping):
            try services.commands.publishTyping(
                isTyping, in: roomID, by: session.userID, sessionID: session.id)
            self.isTyping = isTyping
        case .read(let seq): marks.mark(roomID, upTo: seq)
        case .auth(let token): renewal.renew(token)
        }
    }

    func sessionEnded() {
        guard isTyping else { return }
        isTyping = false
        try? services.commands.publishTyping(false, in: roomID, by: session.userID, sessionID: session.id)
    }
}
