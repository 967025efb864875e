import CommonUtil
import NIOCore
import NIOHTTP1

/// Takes every handshake, for whatever path. No extension is offered, and none that a client offers is accepted.
final class EchoUpgrader: NIOTypedHTTPServerProtocolUpgrader {
    typealias UpgradeResult = ConnectionKind

    let supportedProtocol = "websocket"
    let requiredUpgradeHeaders: [String] = []

    func buildUpgradeResponse(
        channel: any Channel, upgradeRequest: HTTPRequestHead, initialResponseHeaders: HTTPHeaders
    ) -> EventLoopFuture<HTTPHeaders> {
        let headers = upgradeRequest.headers
        let rejection = HandshakeCheck.rejection(
            method: upgradeRequest.method.rawValue, allowedOrigins: .any,
            header: { headers[$0].isEmpty ? nil : headers[$0].joined(separator: ",") })
        if let rejection { return HandshakeRejection.send(rejection, to: upgradeRequest, on: channel) }
        var response = initialResponseHeaders
        let key = headers.first(name: "Sec-WebSocket-Key") ?? ""
        response.add(name: "Sec-WebSocket-Accept", value: HandshakeCheck.accept(key: key))
        return channel.eventLoop.makeSucceededFuture(response)
    }

    func upgrade(channel: any Channel, upgradeRequest: HTTPRequestHead) -> EventLoopFuture<ConnectionKind> {
        channel.eventLoop.makeCompletedFuture {
            try channel.pipeline.syncOperations.addHandler(EchoHandler())
            return .webSocket
        }
    }
}
