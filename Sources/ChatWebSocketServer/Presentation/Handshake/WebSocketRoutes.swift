import CommonAuth
import CommonLogging
import CommonServer
import CommonUtil
import HTTPTypes
import Hummingbird

/// HTTP responses for the WebSocket's path. A valid handshake does not get here: ``HandshakeHandler`` takes it.
enum WebSocketRoutes {
    static func add(to routes: inout Routes, allowedOrigins: AllowedOrigins) {
        routes.get(ConnectRequest.path) { request, context in
            // For the router `/ws/chat/` is the same path.
            guard request.uri.path == ConnectRequest.path else { throw ChatError(.notFound) }
            let rejection = HandshakeCheck.rejection(
                method: request.method.rawValue, allowedOrigins: allowedOrigins,
                header: { request.headers[HTTPField.Name(constant: $0)] })
            // Valid, but not the first request of its connection, or with a body.
            let error =
                rejection
                ?? ChatError(.upgradeRequired, "A handshake has no body and is the first request of a connection")
            return response(error, traceID: context.trace.traceID)
        }
    }

    private static func response(_ error: ChatError, traceID: String) -> Response {
        var response = error.response(traceID: traceID)
        // A client that wants a WebSocket has no other use for the connection.
        response.headers[.connection] = "close"
        if error.code == .upgradeRequired {
            response.headers[.upgrade] = "websocket"
            response.headers[.secWebSocketVersion] = HandshakeCheck.version
        }
        return response
    }
}
