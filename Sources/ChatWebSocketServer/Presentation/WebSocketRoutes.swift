import CommonLogging
import CommonServer
import CommonUtil
import HTTPTypes
import Hummingbird

/// What plain HTTP requests for the WebSocket's path are told: a handshake would not have come here.
enum WebSocketRoutes {
    static func add(to routes: inout Routes, allowedOrigins: AllowedOrigins) {
        routes.get(ConnectRequest.path) { request, context in
            let rejection = HandshakeCheck.rejection(
                method: request.method.rawValue, allowedOrigins: allowedOrigins,
                header: { name in HTTPField.Name(name).flatMap { request.headers[$0] } })
            // A second request of a connection cannot be upgraded, even if it is a handshake.
            let error =
                rejection ?? ChatError(.upgradeRequired, "A handshake must be the first request of a connection")
            return HandshakeRejection.response(error, traceID: context.trace.traceID)
        }
    }
}
