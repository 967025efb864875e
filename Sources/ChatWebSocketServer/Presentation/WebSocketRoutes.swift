import CommonAuth
import CommonLogging
import CommonServer
import CommonUtil
import HTTPTypes
import Hummingbird

/// What HTTP requests for the WebSocket's path are told: a good handshake does not come here.
enum WebSocketRoutes {
    static func add(to routes: inout Routes, allowedOrigins: AllowedOrigins) {
        routes.get(ConnectRequest.path) { request, context in
            // The router does not tell `/ws/chat/` apart.
            guard request.uri.path == ConnectRequest.path else { throw ChatError(.notFound) }
            let rejection = HandshakeCheck.rejection(
                method: request.method.rawValue, allowedOrigins: allowedOrigins,
                header: { request.headers[HTTPField.Name(constant: $0)] })
            // Only a connection's first request can be upgraded, and none that has a body.
            let error =
                rejection
                ?? ChatError(.upgradeRequired, "A handshake has no body and is the first request of a connection")
            return response(error, traceID: context.trace.traceID)
        }
    }

    private static func response(_ error: ChatError, traceID: String) -> Response {
        var response = error.response(traceID: traceID)
        // Whoever wanted a WebSocket has no other use for the connection.
        response.headers[.connection] = "close"
        if error.code == .upgradeRequired {
            response.headers[.upgrade] = "websocket"
            response.headers[.secWebSocketVersion] = HandshakeCheck.version
        }
        return response
    }
}
