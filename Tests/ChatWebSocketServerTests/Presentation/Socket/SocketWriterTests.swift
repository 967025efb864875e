import ChatTestSupport
import NIOCore
import NIOEmbedded
import NIOPosix
import Testing

@testable import ChatWebSocketServer

@Suite(.timeLimit(.minutes(1))) struct SocketWriterTests {
    @Test func `a frame that the kernel takes does not go through the pipeline`() async throws {
        let pair = try await SocketPair.connect()
        try await pair.setReading(true)
        let state = try await pair.run { sender in
            let isTaken = sender.send(1, count: 100)
            return (isTaken, sender.writer.bytesWritten, sender.writer.queuedBytes, sender.writer.isWritable)
        }
        #expect(state == (true, 100, 0, true))
        #expect(try await pair.received(100) == [UInt8](repeating: 1, count: 100))
        try await pair.close()
    }

    @Test func `what the kernel does not take goes through the pipeline, and all that follows, in order`() async throws
    {
        let pair = try await SocketPair.connect()
        let sent = try await pair.run { sender -> Int in
            // Until the buffers of both ends are full.
            for number in 0..<10_000 where !sender.send(UInt8(number & 0x7F), count: 65_536) { return number + 1 }
            return 0
        }
        try #require(sent > 0)
        let pending = try await pair.run { sender in
            let isTaken = (0..<3).map { sender.send(UInt8(200 + $0), count: 10) }
            return (isTaken, sender.writer.queuedBytes > 30, sender.writer.bytesWritten)
        }
        #expect(pending == ([false, false, false], true, sent * 65_536 + 30))

        try await pair.setReading(true)
        let bytes = try await pair.received(sent * 65_536 + 30)
        #expect(bytes.count == sent * 65_536 + 30)
        let blocks = (0..<sent).map { bytes[$0 * 65_536] }
        #expect(blocks == (0..<sent).map { UInt8($0 & 0x7F) })
        #expect(bytes.suffix(30) == ([200, 201, 202] as [UInt8]).flatMap { Array(repeating: $0, count: 10) })

        // Nothing is pending any more, so the kernel is offered the next frame.
        let isDirect = try await pair.run { $0.send(7, count: 10) }
        #expect(isDirect)
        try await pair.close()
    }

    @Test func `a socket with more than the watermark queued is not writable`() async throws {
        let pair = try await SocketPair.connect()
        let isWritable = try await pair.run { sender -> Bool in
            for _ in 0..<10_000 where !sender.send(1, count: 65_536) { break }
            sender.send(1, count: 1 << 20)
            return sender.writer.isWritable
        }
        #expect(!isWritable)
        try await pair.close()
    }

    @Test func `what is written is held until the flush, and does not go through the pipeline`() async throws {
        let pair = try await SocketPair.connect()
        try await pair.setReading(true)
        let held = try await pair.run { sender in
            let isHeld = (1...3).map { sender.write(UInt8($0), count: 10) }
            return (isHeld, sender.writer.bytesWritten, sender.writer.queuedBytes, sender.writer.isWritable)
        }
        #expect(held == ([true, true, true], 30, 0, true))
        let flushed = try await pair.run { sender in
            (sender.flush(), sender.flush(), sender.writer.bytesWritten, sender.writer.queuedBytes)
        }
        #expect(flushed == (.nothing, .nothing, 30, 0))
        #expect(try await pair.received(30) == ([1, 2, 3] as [UInt8]).flatMap { Array(repeating: $0, count: 10) })
        try await pair.close()
    }

    @Test func `what is sent goes behind what is held`() async throws {
        let pair = try await SocketPair.connect()
        try await pair.setReading(true)
        let state = try await pair.run { sender in
            (sender.write(1, count: 10), sender.send(2, count: 10), sender.flush(), sender.writer.queuedBytes)
        }
        #expect(state == (true, true, .nothing, 0))
        #expect(try await pair.received(20) == ([1, 2] as [UInt8]).flatMap { Array(repeating: $0, count: 10) })
        try await pair.close()
    }

    @Test func `more than is held goes through the pipeline, and all that follows until it is sent, in order`()
        async throws
    {
        let pair = try await SocketPair.connect()
        try await pair.setReading(true)
        let large = SocketWriter.maximumHeldBytes
        let state = try await pair.run { sender in
            let isHeld = [sender.write(1, count: 10), sender.write(2, count: large), sender.write(3, count: 10)]
            return (isHeld, sender.writer.queuedBytes, sender.flush())
        }
        #expect(state == ([true, false, false], large + 20, .flush))
        let bytes = try await pair.received(large + 20)
        #expect(
            bytes == [UInt8](repeating: 1, count: 10) + [UInt8](repeating: 2, count: large)
                + [UInt8](repeating: 3, count: 10))
        try await pair.close()
    }

    @Test func `a large frame is not copied`() async throws {
        let pair = try await SocketPair.connect()
        let isSame = try await pair.run { sender in
            let frame = ByteBuffer(repeating: 2, count: SocketWriter.maximumHeldBytes + 1)
            _ = sender.write(1, count: 10)
            let held = sender.writer.makeWay(for: frame)
            let now = sender.writer.write(frame)
            func address(_ buffer: ByteBuffer?) -> UnsafeRawPointer? {
                buffer?.withUnsafeReadableBytes { $0.baseAddress }
            }
            return (held?.readableBytes, address(now) == address(frame))
        }
        #expect(isSame == (10, true))
        try await pair.close()
    }

    @Test func `what the kernel does not take of a flush goes through the pipeline, and nothing of it twice`()
        async throws
    {
        let pair = try await SocketPair.connect()
        let size = SocketWriter.maximumHeldBytes - 1
        let sent = try await pair.run { sender -> Int in
            for number in 0..<100_000 {
                _ = sender.write(UInt8(number & 0x7F), count: size)
                if sender.flush() != .nothing { return number + 1 }
            }
            return 0
        }
        try #require(sent > 0)
        _ = try await pair.run { $0.send(200, count: 1) }
        try await pair.setReading(true)
        let bytes = try await pair.received(sent * size + 1)
        #expect(bytes.count == sent * size + 1 && bytes.last == 200)
        let blocks = (0..<sent).map { bytes[$0 * size] }
        #expect(blocks == (0..<sent).map { UInt8($0 & 0x7F) })
        try await pair.close()
    }

    @Test func `without a socket of its own everything goes through the pipeline`() {
        var writer = SocketWriter(EmbeddedChannel())
        let frame = ByteBuffer(string: "frame")
        #expect(writer.flush() == .nothing)
        #expect(writer.write(frame) == frame)
        #expect(writer.flush() == .flush)
        #expect(writer.send(frame) == frame)
    }

    @Test func `a finished writer sends nothing more, and drops what it holds`() async throws {
        let pair = try await SocketPair.connect()
        let state = try await pair.run { sender in
            _ = sender.write(1, count: 10)
            sender.writer.finish()
            let isDropped = sender.write(1, count: 10) && sender.send(1, count: 10)
            return (sender.flush(), isDropped, sender.writer.isWritable, sender.writer.bytesWritten)
        }
        #expect(state == (.nothing, true, false, 10))
        try await pair.close()
    }
}

/// A writer and its channel. Confined to the channel's event loop.
private final class Sender {
    var writer: SocketWriter
    private let channel: any Channel

    init(_ channel: any Channel) {
        self.channel = channel
        writer = SocketWriter(channel)
    }

    /// Sends as a connection does.
    /// - Returns: whether the kernel took everything.
    @discardableResult
    func send(_ byte: UInt8, count: Int) -> Bool {
        guard let rest = writer.send(ByteBuffer(repeating: byte, count: count)) else { return true }
        channel.writeAndFlush(rest, promise: nil)
        return false
    }

    /// Writes as a connection does.
    /// - Returns: whether nothing went to the pipeline.
    func write(_ byte: UInt8, count: Int) -> Bool {
        let bytes = ByteBuffer(repeating: byte, count: count)
        if let held = writer.makeWay(for: bytes) { channel.write(held, promise: nil) }
        guard let now = writer.write(bytes) else { return true }
        channel.write(now, promise: nil)
        return false
    }

    /// Flushes as a connection does.
    func flush() -> SocketWriter.Flush {
        let flush = writer.flush()
        switch flush {
        case .nothing: break
        case .flush: channel.flush()
        case .writeAndFlush(let rest): channel.writeAndFlush(rest, promise: nil)
        }
        return flush
    }
}

/// Two connected sockets on this machine. The receiving one does not read at first.
private struct SocketPair {
    private let listener: any Channel
    private let receiver: any Channel
    private let client: any Channel
    private let sender: NIOLoopBound<Sender>
    private let bytes: EventCollector<ByteBuffer>

    static func connect() async throws -> SocketPair {
        let group = MultiThreadedEventLoopGroup.singleton
        let bytes = EventCollector<ByteBuffer>()
        let accepted = EventCollector<any Channel>()
        let listener = try await ServerBootstrap(group: group)
            .childChannelOption(.autoRead, value: false)
            .childChannelInitializer { channel in
                accepted.append(channel)
                return channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Receiver(bytes))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let client = try await ClientBootstrap(group: group)
            .channelOption(.writeBufferWaterMark, value: .init(low: 64 * 1_024, high: 256 * 1_024))
            .connect(host: "127.0.0.1", port: listener.localAddress?.port ?? 0).get()
        let receiver = try #require(try await accepted.first(1).first)
        let sender = try await client.eventLoop.submit {
            NIOLoopBound(Sender(client), eventLoop: client.eventLoop)
        }.get()
        return SocketPair(listener: listener, receiver: receiver, client: client, sender: sender, bytes: bytes)
    }

    func run<Result: Sendable>(_ body: @escaping @Sendable (Sender) -> Result) async throws -> Result {
        try await sender.eventLoop.submit { body(sender.value) }.get()
    }

    func setReading(_ isReading: Bool) async throws {
        try await receiver.setOption(.autoRead, value: isReading).get()
    }

    /// The bytes that were received, as soon as there are as many.
    func received(_ count: Int) async throws -> [UInt8] {
        try await bytes.events { $0.reduce(0) { $0 + $1.readableBytes } >= count }.flatMap {
            Array($0.readableBytesView)
        }
    }

    func close() async throws {
        for channel in [client, receiver, listener] { try? await channel.close().get() }
    }
}

private final class Receiver: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let bytes: EventCollector<ByteBuffer>

    init(_ bytes: EventCollector<ByteBuffer>) { self.bytes = bytes }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) { bytes.append(unwrapInboundIn(data)) }
}
