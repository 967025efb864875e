import NIOCore
import NIOPosix

/// Subscribes to Redis by hand: `PSUBSCRIBE` over a socket of its own.
public struct RedisListener: Sendable {
    /// What was published.
    public struct Publication: Equatable, Sendable {
        public let channel: String
        public let payload: String

        /// The payload as JSON; `null` where it is none.
        public var json: JSON { (try? JSON(parsing: Array(payload.utf8))) ?? .null }
    }

    /// What was published since the subscription began, in order.
    public let publications = EventCollector<Publication>()

    /// Runs `body` while a subscription is open.
    public static func listening<Result: Sendable>(
        port: Int, pattern: String, _ body: @escaping @Sendable (RedisListener) async throws -> Result
    ) async throws -> Result {
        let connection = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connect(host: "127.0.0.1", port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
        return try await connection.executeThenClose { inbound, outbound in
            let listener = RedisListener()
            let subscribed = EventCollector<Void>()
            return try await whileRunning {
                var bytes = ByteBuffer()
                for try await buffer in inbound {
                    bytes.writeImmutableBuffer(buffer)
                    while let parts = Self.readArray(&bytes) {
                        switch parts.first {
                        case "psubscribe": subscribed.append(())
                        case "pmessage" where parts.count == 4:
                            listener.publications.append(Publication(channel: parts[2], payload: parts[3]))
                        default: break
                        }
                    }
                }
            } _: {
                let command = "*2\r\n$10\r\nPSUBSCRIBE\r\n$\(pattern.utf8.count)\r\n\(pattern)\r\n"
                try await outbound.write(ByteBuffer(string: command))
                try await subscribed.first(1)
                return try await body(listener)
            }
        }
    }

    /// Reads an array of bulk strings and integers; `nil` where it is not complete.
    private static func readArray(_ bytes: inout ByteBuffer) -> [String]? {
        var rest = bytes
        guard let head = readLine(&rest), head.hasPrefix("*"), let count = Int(head.dropFirst()) else { return nil }
        var parts: [String] = []
        for _ in 0..<count {
            guard let line = readLine(&rest) else { return nil }
            guard line.hasPrefix("$"), let length = Int(line.dropFirst()) else {
                parts.append(line)
                continue
            }
            guard rest.readableBytes >= length + 2, let part = rest.readString(length: length) else { return nil }
            rest.moveReaderIndex(forwardBy: 2)
            parts.append(part)
        }
        bytes = rest
        return parts
    }

    private static func readLine(_ bytes: inout ByteBuffer) -> String? {
        guard let end = bytes.readableBytesView.firstIndex(of: UInt8(ascii: "\n")) else { return nil }
        let line = bytes.readString(length: end - bytes.readerIndex + 1)
        return line.map { String($0.dropLast(1)) }
    }
}
