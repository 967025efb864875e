import CommonAuth
import CommonLogging
import CommonServer
import CommonUtil
import Crypto
import FoundationEssentials
import HTTPTypes
import Hummingbird
import HummingbirdCore
import NIOCore

/// A valid WebSocket handshake and the response to it.
struct HandshakeResponse {
    let client: ClientRequest
    /// The head of the response with status 101 (RFC 6455 section 4.2.2). It accepts no extension.
    let bytes: ByteBuffer

    /// Fails for a request that is answered over HTTP: another path, no handshake, an origin that is not allowed.
    /// - Parameter paths: those that have sockets; `nil` if all have.
    init?(_ head: RequestHead, paths: [String]?, allowedOrigins: AllowedOrigins) {
        let uri = URI(head.target)
        guard paths?.contains(uri.path) ?? true,
            HandshakeCheck.rejection(method: "GET", allowedOrigins: allowedOrigins, header: { head[$0] }) == nil,
            let key = head["sec-websocket-key"]
        else { return nil }
        let (offersChat, subprotocolToken) = HandshakeCheck.subprotocols(head["sec-websocket-protocol"])
        client = ClientRequest(
            head, uri, isOfUser: uri.path == UserConnectRequest.path, subprotocolToken: subprotocolToken)
        bytes = Self.response(accept: HandshakeCheck.accept(key: key), selectsChat: offersChat)
    }

    private static func response(accept: String, selectsChat: Bool) -> ByteBuffer {
        // With room for the first frame, which follows in the same buffer.
        var bytes = ByteBufferAllocator().buffer(capacity: 512)
        bytes.writeStaticString("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n")
        bytes.writeStaticString("Sec-WebSocket-Accept: ")
        bytes.writeString(accept)
        bytes.writeStaticString("\r\n")
        if selectsChat { bytes.writeString("Sec-WebSocket-Protocol: \(HandshakeCheck.subprotocol)\r\n") }
        bytes.writeStaticString("\r\n")
        return bytes
    }
}

/// The rules for opening handshakes (RFC 6455 section 4.2).
enum HandshakeCheck {
    static let version = "13"
    static let subprotocol = "chat.v1"
    private static let tokenPrefix = "bearer."

    /// Checks a request (RFC 6455 section 4.2.1).
    /// - Parameter header: returns the values of a header, joined by commas; `nil` for an absent one.
    /// - Returns: the error to respond with over HTTP; `nil` for a valid handshake.
    static func rejection(
        method: String, allowedOrigins: AllowedOrigins, header: (StaticString) -> String?
    ) -> ChatError? {
        guard method == "GET" else { return ChatError(.methodNotAllowed) }
        guard lists(header("upgrade"), "websocket"), lists(header("connection"), "upgrade") else {
            return ChatError(.upgradeRequired)
        }
        guard header("sec-websocket-version") == version else {
            return ChatError(.upgradeRequired, "Sec-WebSocket-Version must be \(version)")
        }
        guard let key = header("sec-websocket-key"), Data(base64Encoded: key)?.count == 16 else {
            return ChatError(.malformedRequest, "Sec-WebSocket-Key must be 16 bytes in base64")
        }
        guard allowedOrigins.allows(header("origin")) else { return ChatError(.originNotAllowed) }
        // Not a close code: only a program can send this field, and it can read the response.
        do {
            try Authenticator.checkOnBehalf(header("x-on-behalf-of"), authorization: header("authorization"))
        } catch {
            return error
        }
        return nil
    }

    /// The value of `Sec-WebSocket-Accept` (RFC 6455 section 4.2.2, step 5.4).
    static func accept(key: String) -> String {
        var text = key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        var hash = Insecure.SHA1()
        text.withUTF8 { hash.update(bufferPointer: UnsafeRawBufferPointer($0)) }
        return hash.finalize().withUnsafeBytes { Data($0).base64EncodedString() }
    }

    /// Reads the offered subprotocols. Browsers can set no header, so a token may be one of them:
    /// `chat.v1, bearer.<token>`.
    static func subprotocols(_ header: String?) -> (offersChat: Bool, token: String?) {
        let offered = (header ?? "").split(separator: ",").map { $0.filter { $0 != " " } }
        let token = offered.first { $0.hasPrefix(tokenPrefix) }.map { String($0.dropFirst(tokenPrefix.count)) }
        return (offered.contains(subprotocol), token)
    }

    /// Whether a list (RFC 9110 section 5.6.1) contains a token, compared without case.
    /// - Parameter token: in lower case.
    private static func lists(_ list: String?, _ token: StaticString) -> Bool {
        guard var list else { return false }
        return list.withUTF8 { list in
            var rest = list[...]
            while true {
                let item = rest.prefix { $0 != UInt8(ascii: ",") }
                if isToken(item, token) { return true }
                guard item.endIndex < rest.endIndex else { return false }
                rest = rest[(item.endIndex + 1)...]
            }
        }
    }

    private static func isToken(_ item: Slice<UnsafeBufferPointer<UInt8>>, _ token: StaticString) -> Bool {
        let isBlank = { (byte: UInt8) in byte == 0x20 || byte == 0x09 }
        let name = item.drop(while: isBlank).prefix { !isBlank($0) }
        return token.withUTF8Buffer { token in
            name.count == token.count && zip(name, token).allSatisfy { $0 | 0x20 == $1 }
        } && item[name.endIndex...].allSatisfy(isBlank)
    }
}

/// HTTP responses for the paths of WebSockets. A valid handshake does not get here: ``HandshakeHandler`` takes it.
enum WebSocketRoutes {
    /// Adds the routes of the paths.
    static func add(to routes: inout Routes, allowedOrigins: AllowedOrigins) {
        for path in ChatUpgradePolicy.paths { add(path, to: &routes, allowedOrigins: allowedOrigins) }
    }

    private static func add(_ path: String, to routes: inout Routes, allowedOrigins: AllowedOrigins) {
        routes.get(path) { request, context in
            // For the router `/ws/chat/` is the same path.
            guard request.uri.path == path else { throw ChatError(.notFound) }
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
