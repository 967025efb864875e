import CommonAuth
import CommonServer
import CommonUtil
import HTTPTypes
import HummingbirdCore
import NIOCore

/// What a handshake that may be answered with 101 says and is told.
struct HandshakeResponse {
    let query: [(key: String, value: String)]
    let token: String?
    /// The values of `X-Forwarded-For`.
    let forwarded: [String]
    /// The head of the answer (RFC 6455 section 4.2.2). Extensions are declined by silence.
    let response: ByteBuffer

    /// - Returns: `nil` for what is to be answered over HTTP: another path, no handshake, an origin that may not.
    /// - Parameter path: the only one that has a socket; `nil` where all have.
    init?(_ head: RequestHead, path: String?, allowedOrigins: AllowedOrigins) {
        let uri = URI(head.target)
        guard path == nil || uri.path == path,
            HandshakeCheck.rejection(method: "GET", allowedOrigins: allowedOrigins, header: { head[$0] }) == nil,
            let key = head["sec-websocket-key"]
        else { return nil }
        let (offersChat, subprotocolToken) = HandshakeCheck.subprotocols(head["sec-websocket-protocol"])
        query = uri.queryParameters.map { (key: String($0.key), value: String($0.value)) }
        token = Self.token(head["authorization"], query: query) ?? subprotocolToken
        forwarded = head.values("x-forwarded-for")
        response = Self.response(accept: HandshakeCheck.accept(key: key), selectsChat: offersChat)
    }

    /// `Authorization: Bearer` or, since browsers cannot set it, `access_token` in the query.
    private static func token(_ authorization: String?, query: [(key: String, value: String)]) -> String? {
        if let authorization, let token = try? Authenticator.bearerToken(authorization) {
            return token
        }
        return query.last { $0.key == "access_token" }?.value
    }

    private static func response(accept: String, selectsChat: Bool) -> ByteBuffer {
        let subprotocol = selectsChat ? "Sec-WebSocket-Protocol: \(HandshakeCheck.subprotocol)\r\n" : ""
        return ByteBuffer(
            string: "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                + "Sec-WebSocket-Accept: \(accept)\r\n\(subprotocol)\r\n")
    }
}
