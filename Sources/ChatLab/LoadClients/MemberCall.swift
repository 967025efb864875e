import NIOCore

/// The bytes of what a user asks of a room for itself.
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
