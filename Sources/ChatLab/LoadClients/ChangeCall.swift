import NIOCore

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
