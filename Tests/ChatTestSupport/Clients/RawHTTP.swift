import NIOCore
import NIOPosix

/// HTTP as bytes, for what a well-behaved client cannot send.
public enum RawHTTP {
    /// Sends a text on a connection of its own and gives all that comes back until the server closes.
    /// - Parameter endsOutput: whether the client then says that it will send no more, and still listens.
    public static func exchange(port: Int, _ text: String, endsOutput: Bool = false) async throws -> String {
        String(buffer: try await exchange(port: port, bytes: Array(text.utf8), endsOutput: endsOutput))
    }

    /// The same with bytes, written in pieces of at most `chunk`.
    public static func exchange(
        port: Int, bytes: [UInt8], chunk: Int = .max, endsOutput: Bool = false
    ) async throws -> ByteBuffer {
        let connection = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connect(host: "127.0.0.1", port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(
                        wrappingChannelSynchronously: channel, configuration: .init(isOutboundHalfClosureEnabled: true))
                }
            }
        return try await connection.executeThenClose { inbound, outbound in
            var rest = bytes[...]
            while !rest.isEmpty {
                try await outbound.write(ByteBuffer(bytes: rest.prefix(chunk)))
                rest = rest.dropFirst(chunk)
            }
            if endsOutput { outbound.finish() }
            var answer = ByteBuffer()
            for try await var buffer in inbound { answer.writeBuffer(&buffer) }
            return answer
        }
    }
}
