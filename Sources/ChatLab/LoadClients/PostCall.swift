import NIOCore

/// The bytes of `POST /api/v1/messages` for one sender.
struct PostCall {
    /// How the sender says who it is.
    enum Caller: Sendable {
        case userID(Int)
        case token(String)

        var header: String {
            switch self {
            case .userID(let id): "X-User-Id: \(id)"
            case .token(let token): "Authorization: Bearer \(token)"
            }
        }
    }

    private let head: String

    init(caller: Caller) {
        head = """
            POST /api/v1/messages HTTP/1.1\r
            Host: 127.0.0.1\r
            Content-Type: application/json\r
            \(caller.header)\r
            Content-Length:\u{20}
            """
    }

    /// The whole request. `extra` are further members of the payload: JSON text that begins with a comma, or empty.
    func bytes(room: String, clientMessageID: String?, extra: String = "") -> ByteBuffer {
        let key = clientMessageID.map { #","clientMessageId":"\#($0)""# } ?? ""
        let body =
            #"{"roomId":"\#(room)","messageType":"text","payload":{"text":"The quick brown fox"\#(extra)}\#(key)}"#
        return ByteBuffer(string: "\(head)\(body.utf8.count)\r\n\r\n\(body)")
    }
}
