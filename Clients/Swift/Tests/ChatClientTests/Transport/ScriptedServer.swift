import NIOCore
import NIOEmbedded
import NIOHTTP1
import NIOPosix
import NIOWebSocket

@testable import ChatClient

/// A server that answers the first bytes of each connection as a test says.
struct ScriptedServer: Sendable {
    typealias Channel = NIOAsyncChannel<ByteBuffer, ByteBuffer>
    typealias Script =
        @Sendable (
            _ request: String, inout NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator,
            NIOAsyncChannelOutboundWriter<ByteBuffer>
        ) async throws -> Void

    let address: ServerAddress

    /// Runs a server for as long as the body takes. The script's end closes the connection.
    static func running<Result: Sendable>(
        _ script: @escaping Script, _ body: @escaping @Sendable (ServerAddress) async throws -> Result
    ) async throws -> Result {
        // A connection is wrapped when it is served: one that nobody serves before the end is dropped as it is.
        let server = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelOption(.autoRead, value: false)
            .bind(host: "127.0.0.1", port: 0) { channel in channel.eventLoop.makeSucceededFuture(channel) }
        let port = server.channel.localAddress?.port ?? 0
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                try await server.executeThenClose { connections in
                    try await withThrowingTaskGroup(of: Void.self) { connectionGroup in
                        for try await connection in connections {
                            connectionGroup.addTask {
                                let wrapped = try? await connection.eventLoop.submit {
                                    let wrapped = try Channel(wrappingChannelSynchronously: connection)
                                    try connection.syncOptions?.setOption(.autoRead, value: true)
                                    return wrapped
                                }.get()
                                try? await wrapped?.executeThenClose { inbound, outbound in
                                    var iterator = inbound.makeAsyncIterator()
                                    var request = ""
                                    while !request.contains("\r\n\r\n"), let bytes = try await iterator.next() {
                                        request += String(buffer: bytes)
                                    }
                                    try await script(request, &iterator, outbound)
                                }
                            }
                        }
                    }
                }
            }
            defer { group.cancelAll() }
            return try await body(try ServerAddress("http://127.0.0.1:\(port)"))
        }
    }

    /// The answer to a WebSocket handshake.
    static func accept(_ request: String) -> String {
        var head = HTTPRequestHead(version: .http1_1, method: .GET, uri: "/")
        for line in request.split(separator: "\r\n").dropFirst() {
            let parts = line.split(separator: ": ", maxSplits: 1)
            head.headers.add(name: String(parts[0]), value: parts.count > 1 ? String(parts[1]) : "")
        }
        let upgrader = NIOWebSocketServerUpgrader(
            shouldUpgrade: { channel, _ in channel.eventLoop.makeSucceededFuture([:]) },
            upgradePipelineHandler: { channel, _ in channel.eventLoop.makeSucceededVoidFuture() })
        let headers = upgrader.buildUpgradeResponse(
            channel: EmbeddedChannel(), upgradeRequest: head, initialResponseHeaders: [:])
        let answer = (try? headers.wait()) ?? [:]
        return "HTTP/1.1 101 Switching Protocols\r\n" + answer.map { "\($0.name): \($0.value)\r\n" }.joined() + "\r\n"
    }

    /// A frame of a server.
    static func frame(_ first: UInt8, _ payload: [UInt8]) -> ByteBuffer {
        var buffer = ByteBuffer(bytes: [first])
        if payload.count < 126 {
            buffer.writeInteger(UInt8(payload.count))
        } else if payload.count < 65_536 {
            buffer.writeInteger(UInt8(126))
            buffer.writeInteger(UInt16(payload.count))
        } else {
            buffer.writeInteger(UInt8(127))
            buffer.writeInteger(UInt64(payload.count))
        }
        buffer.writeBytes(payload)
        return buffer
    }
}
