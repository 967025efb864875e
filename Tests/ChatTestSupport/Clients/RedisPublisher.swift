import NIOCore
import NIOPosix

/// `PUBLISH` by hand, as some other program would do it: RESP over a socket of its own.
public struct RedisPublisher: Sendable {
    struct Failure: Error {
        let reply: String
    }

    private let port: Int

    public init(port: Int) { self.port = port }

    /// Publishes any bytes.
    /// - Returns: how many subscribers Redis gave it to.
    @discardableResult
    public func publish(_ channel: String, _ payload: [UInt8]) async throws -> Int {
        let reply = try await send([Array("PUBLISH".utf8), Array(channel.utf8), payload])
        guard reply.hasPrefix(":"), let receivers = Int(reply.dropFirst().dropLast(1)) else {
            throw Failure(reply: reply)
        }
        return receivers
    }

    /// Sends any other command whose reply is short.
    /// - Returns: the reply as it came.
    public func command(_ words: String...) async throws -> String { try await send(words.map { Array($0.utf8) }) }

    private func send(_ parts: [[UInt8]]) async throws -> String {
        let command = parts.reduce(into: Array("*\(parts.count)\r\n".utf8)) { bytes, part in
            bytes += Array("$\(part.count)\r\n".utf8) + part + Array("\r\n".utf8)
        }
        let connection = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connect(host: "127.0.0.1", port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
        return try await connection.executeThenClose { inbound, outbound in
            try await outbound.write(ByteBuffer(bytes: command))
            var reply = ""
            for try await buffer in inbound {
                reply += String(buffer: buffer)
                if reply.hasSuffix("\r\n") { break }
            }
            return reply
        }
    }

    @discardableResult
    public func publish(_ channel: String, _ json: JSON) async throws -> Int {
        try await publish(channel, Array(json.text.utf8))
    }
}
