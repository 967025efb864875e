import CommonUtil
import CommonServer
import NIOCore

/// Lets everyone in, by whatever path.
struct EchoDoor: SocketDoor {
    func answer(to head: RequestHead) -> HandshakeAnswer? {
        HandshakeAnswer(head, path: nil, allowedOrigins: .any)
    }

    func ask(_ answer: HandshakeAnswer, from context: ChannelHandlerContext, enter: @escaping Entrance) {
        enter { EchoHandler(opening: $0) }
    }
}
