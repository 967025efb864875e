import ChatLocalStack
import Glibc
import NIOCore

/// One client of the post bench: sends the next post when the last is answered. Confined to its thread.
final class PostConnection {
    /// The outcome of reading from the connection.
    enum Answer {
        case incomplete
        case status(Int)
        /// The connection ended, or the bytes are no response.
        case none
    }

    let descriptor: CInt
    private let room: String
    private let prefix: String
    private let request: PostCall
    private var received = ByteBuffer()
    /// Posts sent.
    private(set) var number = 0
    private(set) var sentAt = NIODeadline.distantPast

    /// - Throws: `LocalStackError` if the connection cannot be made.
    init(_ client: PostClients.Client, port: Int) throws {
        room = client.room
        prefix = client.prefix
        request = PostCall(caller: client.caller)
        descriptor = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { throw LocalStackError("no socket: \(String(cString: strerror(errno)))") }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        let status = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard status == 0 else {
            let reason = String(cString: strerror(errno))
            close(descriptor)
            throw LocalStackError("cannot connect to port \(port): \(reason)")
        }
        var isOn: CInt = 1
        setsockopt(descriptor, CInt(IPPROTO_TCP), TCP_NODELAY, &isOn, socklen_t(MemoryLayout<CInt>.size))
    }

    deinit { close(descriptor) }

    /// The `clientMessageId` of the last post.
    var messageID: String { prefix + String(number) }

    /// - Returns: whether the kernel took it; it has room for a post, since no other is under way.
    func sendNext(at time: NIODeadline) -> Bool {
        number += 1
        sentAt = time
        let bytes = request.bytes(room: room, clientMessageID: messageID)
        return bytes.withUnsafeReadableBytes { send(descriptor, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL)) }
            == bytes.readableBytes
    }

    /// Reads what has arrived.
    func receive() -> Answer {
        let count = received.writeWithUnsafeMutableBytes(minimumWritableBytes: 4_096) { bytes in
            max(0, recv(descriptor, bytes.baseAddress, bytes.count, CInt(MSG_DONTWAIT)))
        }
        guard count > 0, received.readableBytes < Self.longestAnswer else { return .none }
        do {
            guard let response = try HTTPResponseScanner.next(in: &received) else { return .incomplete }
            // There is one request under way, so more bytes are an error.
            guard received.readableBytes == 0 else { return .none }
            received.clear()
            return .status(response.status)
        } catch {
            return .none
        }
    }

    private static let longestAnswer = 65_536
}
