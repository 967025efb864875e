import NIOCore
import NIOPosix

/// One request over a connection of its own, whose body and answer may be of any size: neither is kept in memory. The
/// same client for all servers, so that it costs each of them the same. Confined to its event loop.
final class FileTransfer: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    struct Answer: Sendable {
        var status: Int
        /// What was received of the body, in bytes.
        var size: Int
        /// The beginning of the body.
        var text: String
        /// From the first byte sent to the last one received, in seconds.
        var seconds: Double
    }

    /// The connection ended before the answer was whole.
    struct Broken: Error {}

    /// What is sent at once, again and again.
    private static let piece = ByteBuffer(repeating: UInt8(ascii: "x"), count: 256 * 1024)
    private static let receiveBytes = 256 * 1024
    /// Pieces of one turn of the event loop, which has other transfers.
    private static let piecesOfTurn = 2
    /// A thread of their own, so that transfers do not delay the clients that are measured beside them.
    private static let eventLoop = MultiThreadedEventLoopGroup(numberOfThreads: 1).next()

    private let head: ByteBuffer
    private var bodyLeft: Int
    private let done: EventLoopPromise<Answer>
    private var answer = TransferAnswer()
    private var start = NIODeadline.now()
    private var isDone = false
    private var isSendDue = false

    private init(head: ByteBuffer, bodySize: Int, done: EventLoopPromise<Answer>) {
        self.head = head
        bodyLeft = bodySize
        self.done = done
    }

    /// Sends a request and reads its answer.
    /// - Parameters:
    ///   - head: the request up to its body.
    ///   - bodySize: in bytes.
    static func run(port: Int, head: ByteBuffer, bodySize: Int = 0) async throws -> Answer {
        let done = eventLoop.makePromise(of: Answer.self)
        let channel: any Channel
        do {
            channel = try await ClientBootstrap(group: eventLoop)
                .connectTimeout(.seconds(10))
                .channelOption(.tcpOption(.tcp_nodelay), value: 1)
                .channelOption(
                    .recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: receiveBytes)
                )
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(
                            FileTransfer(head: head, bodySize: bodySize, done: done))
                    }
                }
                .connect(host: "127.0.0.1", port: port).get()
        } catch {
            done.fail(error)
            throw error
        }
        return try await withTaskCancellationHandler {
            try await done.futureResult.get()
        } onCancel: {
            channel.close(promise: nil)
        }
    }

    func channelActive(context: ChannelHandlerContext) {
        start = .now()
        context.write(wrapOutboundOut(head), promise: nil)
        send(context)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { send(context) }
    }

    private func send(_ context: ChannelHandlerContext) {
        // A flush may find room at once, so this goes on until there is none.
        var pieces = 0
        while context.channel.isWritable, bodyLeft > 0, !isDone {
            guard pieces < Self.piecesOfTurn else { return sendLater(context) }
            pieces += 1
            let count = min(bodyLeft, Self.piece.readableBytes)
            guard let piece = Self.piece.getSlice(at: 0, length: count) else { break }
            bodyLeft -= count
            context.writeAndFlush(wrapOutboundOut(piece), promise: nil)
        }
        context.flush()
    }

    private func sendLater(_ context: ChannelHandlerContext) {
        guard !isSendDue else { return }
        isSendDue = true
        context.eventLoop.assumeIsolated().execute {
            self.isSendDue = false
            if context.channel.isActive { self.send(context) }
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        answer.append(unwrapInboundIn(data))
        guard let status = answer.completeStatus, !isDone else { return }
        isDone = true
        done.succeed(
            Answer(
                status: status, size: answer.size, text: answer.text,
                seconds: Double((NIODeadline.now() - start).nanoseconds) / 1e9))
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        guard !isDone else { return }
        isDone = true
        done.fail(Broken())
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}

/// An answer with a `Content-Length`, of whose body only the beginning is kept.
struct TransferAnswer {
    private static let end = Array("\r\n\r\n".utf8)
    private static let longestHead = 64 * 1024
    private static let longestText = 4_096

    private var head = ByteBuffer()
    private var kept = ByteBuffer()
    private var status: Int?
    private var length = 0
    /// The bytes of the body so far.
    private(set) var size = 0

    /// The beginning of the body.
    var text: String { String(buffer: kept) }

    /// The status, once the whole body is there.
    var completeStatus: Int? { size >= length ? status : nil }

    mutating func append(_ bytes: ByteBuffer) {
        var bytes = bytes
        guard status == nil else { return add(bytes) }
        head.writeBuffer(&bytes)
        guard let end = Self.endOfHead(head.readableBytesView), let text = head.readString(length: end) else {
            if head.readableBytes > Self.longestHead { status = 0 }
            return
        }
        let lines = text.split(separator: "\r\n")
        let code = lines.first?.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
        if code == 100 { return append(ByteBuffer()) }
        status = code
        for line in lines.dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1)
            guard parts.count == 2, parts[0].lowercased() == "content-length" else { continue }
            length = Int(parts[1].filter { $0 != " " }) ?? 0
        }
        let rest = head
        head = ByteBuffer()
        add(rest)
    }

    private mutating func add(_ bytes: ByteBuffer) {
        size += bytes.readableBytes
        guard kept.readableBytes < Self.longestText else { return }
        kept.writeBytes(bytes.readableBytesView.prefix(Self.longestText - kept.readableBytes))
    }

    /// The length of the head.
    private static func endOfHead(_ bytes: ByteBufferView) -> Int? {
        guard bytes.count >= end.count else { return nil }
        for offset in 0...(bytes.count - end.count) where bytes.dropFirst(offset).starts(with: end) {
            return offset + end.count
        }
        return nil
    }
}
