import CommonUtil
import Crypto
import FoundationEssentials
import HTTPTypes

/// Whether a request is a WebSocket handshake that may be answered with 101 (RFC 6455 section 4.2.1).
enum HandshakeCheck {
    static let version = "13"
    static let subprotocol = "chat.v1"
    private static let tokenPrefix = "bearer."

    /// - Parameter header: a header's values, joined by commas; `nil` where it is absent.
    /// - Returns: the error that is answered over HTTP instead, if any.
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
        return nil
    }

    /// RFC 6455 section 4.2.2, step 5.4.
    static func accept(key: String) -> String {
        let digest = Insecure.SHA1.hash(data: Data((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").utf8))
        return Data(digest).base64EncodedString()
    }

    /// Browsers can set no header, so a token may come as a second subprotocol: `chat.v1, bearer.<token>`.
    static func subprotocols(_ header: String?) -> (offersChat: Bool, token: String?) {
        let offered = (header ?? "").split(separator: ",").map { $0.filter { $0 != " " } }
        let token = offered.first { $0.hasPrefix(tokenPrefix) }.map { String($0.dropFirst(tokenPrefix.count)) }
        return (offered.contains(subprotocol), token)
    }

    /// Whether a field's list (RFC 9110 section 5.6.1) has a token of small letters, in whatever case.
    private static func lists(_ list: String?, _ token: String) -> Bool {
        guard let list else { return false }
        return list.utf8.split(separator: UInt8(ascii: ",")).contains { item in
            let isBlank = { (byte: UInt8) in byte == 0x20 || byte == 0x09 }
            let name = item.drop(while: isBlank).prefix { !isBlank($0) }
            return name.elementsEqual(token.utf8) { $0 | 0x20 == $1 } && item[name.endIndex...].allSatisfy(isBlank)
        }
    }
}
