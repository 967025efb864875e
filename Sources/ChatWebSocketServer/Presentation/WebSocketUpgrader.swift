import CommonAuth
import CommonServer
import CommonUtil
import HTTPTypes
import HummingbirdCore
import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import NIOHTTPTypes

/// What became of a connection after its first request.
enum ConnectionKind: Sendable {
    case webSocket
    case http(NIOAsyncChannel<HTTPRequestPart, HTTPResponsePart>)
}

/// Answers the handshake of one connection. A client that may not come in is upgraded all the same and then closed
/// with a code, since a browser tells its page nothing of an HTTP error.
final class WebSocketUpgrader: NIOTypedHTTPServerProtocolUpgrader {
    typealias UpgradeResult = ConnectionKind

    /// What may be queued for a socket: above it the session falls behind on the log instead.
    private static let watermark = ChannelOptions.Types.WriteBufferWaterMark(low: 64 * 1_024, high: 256 * 1_024)

    let supportedProtocol = "websocket"
    let requiredUpgradeHeaders: [String] = []

    private let services: WebSocketServices
    private let verdict = NIOLockedValueBox<Result<AdmissionService.Admission, CloseReason>?>(nil)

    init(services: WebSocketServices) { self.services = services }

    func buildUpgradeResponse(
        channel: any Channel, upgradeRequest: HTTPRequestHead, initialResponseHeaders: HTTPHeaders
    ) -> EventLoopFuture<HTTPHeaders> {
        let uri = URI(upgradeRequest.uri)
        let headers = upgradeRequest.headers
        func header(_ name: String) -> String? {
            let values = headers[name]
            return values.isEmpty ? nil : values.joined(separator: ",")
        }
        guard uri.path == ConnectRequest.path else {
            return HandshakeRejection.send(ChatError(.notFound), to: upgradeRequest, on: channel)
        }
        if let rejection = HandshakeCheck.rejection(
            method: upgradeRequest.method.rawValue, allowedOrigins: services.allowedOrigins, header: header)
        {
            return HandshakeRejection.send(rejection, to: upgradeRequest, on: channel)
        }
        var responseHeaders = initialResponseHeaders
        responseHeaders.add(
            name: "Sec-WebSocket-Accept", value: HandshakeCheck.accept(key: header("sec-websocket-key") ?? ""))
        let (offersChat, subprotocolToken) = HandshakeCheck.subprotocols(header("sec-websocket-protocol"))
        if offersChat { responseHeaders.add(name: "Sec-WebSocket-Protocol", value: HandshakeCheck.subprotocol) }

        let query = uri.queryParameters.map { (key: String($0.key), value: String($0.value)) }
        let token = Self.token(header("authorization"), query: query) ?? subprotocolToken
        let shard = services.sessions.shardIndex(of: channel.eventLoop)
        let address = ClientAddress.find(
            forwarded: headers["x-forwarded-for"], peer: channel.remoteAddress?.ipAddress ?? "",
            trustedProxies: services.trustedProxies)
        return channel.eventLoop.makeFutureWithTask { [services, verdict, responseHeaders] in
            let result = await Self.admit(query: query, token: token, address: address, shard: shard, services)
            verdict.withLockedValue { $0 = result }
            return responseHeaders
        }
    }

    func upgrade(channel: any Channel, upgradeRequest: HTTPRequestHead) -> EventLoopFuture<ConnectionKind> {
        channel.eventLoop.makeCompletedFuture {
            let verdict =
                self.verdict.withLockedValue { $0.take() } ?? .failure(CloseReason(.tryAgainLater, "no verdict"))
            try channel.syncOptions?.setOption(.writeBufferWaterMark, value: Self.watermark)
            try channel.pipeline.syncOperations.addHandler(
                ChatWebSocketHandler(verdict: verdict, services: self.services))
            return .webSocket
        }
    }

    private static func admit(
        query: [(key: String, value: String)], token: String?, address: String, shard: Int?,
        _ services: WebSocketServices
    ) async -> Result<AdmissionService.Admission, CloseReason> {
        do throws(CloseReason) {
            guard !services.isDraining() else { throw CloseReason(.restart, "this server is stopping") }
            guard let shard else { throw CloseReason(.tryAgainLater, "no place for this socket") }
            let request = try ConnectRequest(query: query, authMode: services.authMode)
            return .success(
                try await services.admission.admit(
                    .init(request: request, token: token, address: address, shard: shard)))
        } catch {
            return .failure(error)
        }
    }

    /// `Authorization: Bearer` or, since browsers cannot set it, `access_token` in the query.
    private static func token(_ authorization: String?, query: [(key: String, value: String)]) -> String? {
        if let authorization, let token = try? Authenticator.bearerToken(in: [.authorization: authorization]) {
            return token
        }
        return query.last { $0.key == "access_token" }?.value
    }
}
