import NIOCore
import NIOPosix
import Synchronization

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
        try await withConnection(port: port) { connection in
            var rest = bytes[...]
            while !rest.isEmpty {
                try await connection.outbound.write(ByteBuffer(bytes: rest.prefix(chunk)))
                rest = rest.dropFirst(chunk)
            }
            if endsOutput { connection.endOutput() }
            var answer = ByteBuffer()
            while var buffer = try await connection.inbound.next() { answer.writeBuffer(&buffer) }
            return answer
        }
    }

    /// Runs `body` with a connection, which is closed afterwards.
    public static func withConnection<Result: Sendable>(
        port: Int, _ body: (inout RawConnection) async throws -> Result
    ) async throws -> Result {
        let connection = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connect(host: "127.0.0.1", port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(
                        wrappingChannelSynchronously: channel, configuration: .init(isOutboundHalfClosureEnabled: true))
                }
            }
        return try await connection.executeThenClose { inbound, outbound in
            var raw = RawConnection(inbound: inbound.makeAsyncIterator(), outbound: outbound)
            return try await body(&raw)
        }
    }
}

/// A connection of ``RawHTTP``. What is not read stays with the server.
public struct RawConnection {
    var inbound: NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator
    let outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>

    /// Waits while the other end does not read.
    public func send(_ text: String) async throws { try await outbound.write(ByteBuffer(string: text)) }

    /// Says that no more will be sent.
    public func endOutput() { outbound.finish() }

    /// Reads until a text has come, or until the end.
    /// - Returns: all that was read now.
    public mutating func read(until text: String) async throws -> String {
        var read = ""
        while !read.contains(text), let bytes = try await inbound.next() { read += String(buffer: bytes) }
        return read
    }

    /// Writes what is sent over and over, until no write has been done for a second after the first one.
    /// - Returns: the writes that were done.
    public func sendUntilBlocked(_ text: String) async -> Int {
        let (outbound, piece, written) = (outbound, ByteBuffer(string: text), Written())
        await withTaskGroup { group in
            group.addTask {
                while !Task.isCancelled, (try? await outbound.write(piece)) != nil { written.add() }
            }
            group.addTask {
                var last = 0
                // Before its first write it has not begun.
                while !Task.isCancelled, written.count == 0 || written.count != last {
                    last = written.count
                    try? await Task.sleep(for: .seconds(1))
                }
            }
            await group.next()
            group.cancelAll()
        }
        return written.count
    }

    private final class Written: Sendable {
        private let all = Atomic(0)
        var count: Int { all.load(ordering: .relaxed) }
        func add() { all.add(1, ordering: .relaxed) }
    }
}
