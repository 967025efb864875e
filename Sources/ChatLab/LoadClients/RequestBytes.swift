import NIOCore

/// The bytes of requests of any kind.
enum RequestBytes {
    /// An HTTP/1.1 request with an optional JSON body.
    static func http(_ method: String, _ path: String, token: String? = nil, body: String? = nil) -> ByteBuffer {
        var head = "\(method) \(path) HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        if let token { head += "Authorization: Bearer \(token)\r\n" }
        if let body { head += "Content-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n" }
        return ByteBuffer(string: head + "\r\n" + (body ?? ""))
    }

    /// The handshake of a socket in a room.
    static func handshake(room: String, token: String) -> ByteBuffer {
        ByteBuffer(
            string: "GET /ws/chat?roomId=\(room) HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
                + "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                + "Authorization: Bearer \(token)\r\n\r\n")
    }
}

extension ByteBuffer {
    /// The same bytes `count` times in a row.
    func repeated(_ count: Int) -> ByteBuffer {
        var all = ByteBuffer()
        for _ in 0..<count { all.writeImmutableBuffer(self) }
        return all
    }
}

/// The bytes of `POST /api/v1/messages` for one sender.
struct PostCall {
    /// How the sender is authenticated.
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
        return request(body)
    }

    /// A message that is a file.
    func bytes(room: String, clientMessageID: String, fileID: String, mark: String) -> ByteBuffer {
        request(
            #"{"roomId":"\#(room)","messageType":"file","payload":{"fileId":"\#(fileID)","mark":"\#(mark)"},"#
                + #""clientMessageId":"\#(clientMessageID)"}"#)
    }

    private func request(_ body: String) -> ByteBuffer {
        ByteBuffer(string: "\(head)\(body.utf8.count)\r\n\r\n\(body)")
    }
}

/// The bytes of `POST /api/v1/files` up to the body, and of the other calls of files.
struct UploadCall {
    let caller: PostCall.Caller

    /// - Parameters:
    ///   - name: needs no encoding in a URL.
    ///   - key: the `Idempotency-Key`.
    ///   - size: of the body, in bytes.
    func head(room: String, name: String, key: String? = nil, size: Int) -> ByteBuffer {
        let key = key.map { "Idempotency-Key: \($0)\r\n" } ?? ""
        return ByteBuffer(
            string: "POST /api/v1/files?roomId=\(room)&name=\(name) HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                + "Content-Type: application/octet-stream\r\n\(caller.header)\r\n\(key)Content-Length: \(size)\r\n\r\n")
    }

    func download(of fileID: String) -> ByteBuffer { request("GET", fileID) }
    func deletion(of fileID: String) -> ByteBuffer { request("DELETE", fileID) }

    private func request(_ method: String, _ fileID: String) -> ByteBuffer {
        ByteBuffer(
            string: "\(method) /api/v1/files/\(fileID) HTTP/1.1\r\nHost: 127.0.0.1\r\n\(caller.header)\r\n\r\n")
    }
}

/// The bytes of an edit or a deletion of a message by its sender.
enum ChangeCall {
    case edit(mark: String)
    case delete

    func bytes(caller: PostCall.Caller, messageID: Int) -> ByteBuffer {
        let path = "/api/v1/messages/\(messageID)"
        switch self {
        case .edit(let mark):
            let body = #"{"payload":{"text":"The quicker brown fox","mark":"\#(mark)"}}"#
            return ByteBuffer(
                string: "PATCH \(path) HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
                    + "\(caller.header)\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
        case .delete:
            return ByteBuffer(string: "DELETE \(path) HTTP/1.1\r\nHost: 127.0.0.1\r\n\(caller.header)\r\n\r\n")
        }
    }
}

/// The bytes of a user's own membership calls: join, leave and read mark.
enum MemberCall {
    case join
    case leave
    case read(seq: Int)

    func bytes(caller: PostCall.Caller, room: String) -> ByteBuffer {
        let (method, action, body) =
            switch self {
            case .join: ("POST", "join", "")
            case .leave: ("POST", "leave", "")
            case .read(let seq): ("PUT", "read", #"{"seq":\#(seq)}"#)
            }
        let type = body.isEmpty ? "" : "Content-Type: application/json\r\n"
        return ByteBuffer(
            string: "\(method) /api/v1/rooms/\(room)/\(action) HTTP/1.1\r\nHost: 127.0.0.1\r\n\(type)"
                + "\(caller.header)\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
    }
}
