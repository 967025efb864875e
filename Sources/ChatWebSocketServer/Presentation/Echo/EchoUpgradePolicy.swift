import CommonUtil
import CommonServer
import NIOCore

/// Lets everyone in, by whatever path.
struct EchoUpgradePolicy: UpgradePolicy {
    func answer(to head: RequestHead) -> HandshakeResponse? {
        HandshakeResponse(head, path: nil, allowedOrigins: .any)
    }

    func ask(_ answer: HandshakeResponse, from context: ChannelHandlerContext, enter: @escaping Entrance) {
        enter { EchoHandler(opening: $0) }
    }
}
