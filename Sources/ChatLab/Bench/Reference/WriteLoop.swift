import ChatLocalStack
import Foundation
import NIOCore
import NIOPosix
import Synchronization

/// The least cost of a fan-out: a thread that only writes the same bytes to every socket, one after the other, and then
/// waits until all of them are read. The reference of `chat-lab bench fanout`.
final class WriteLoop: Sendable {
    static let name = "a bare write() loop"

    /// The cost of one write.
    struct Cost: Sendable {
        var processorSeconds: Double
        /// From the first write of a turn until all sockets have been read: how long the last one waits.
        var lastSocketSeconds: Double
    }

    private let descriptors: [CInt]
    private let listener: any Channel
    private let clients: [any Channel]
    private let board: NIOLoopBound<ByteBoard>

    /// Connects `count` sockets to this process; the other ends live on `eventLoop`.
    static func make(sockets: Int, on eventLoop: any EventLoop) async throws -> WriteLoop {
        let board = try await eventLoop.submit { NIOLoopBound(ByteBoard(), eventLoop: eventLoop) }.get()
        let accepted = Mutex<[CInt]>([])
        let listener = try await ServerBootstrap(group: eventLoop)
            .serverChannelOption(.backlog, value: 4_096)
            // Nothing but this loop's thread may touch the accepted sockets' bytes.
            .childChannelOption(.autoRead, value: false)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let descriptor = try channel.pipeline.syncOperations.withUnsafeTransportIfAvailable(of: CInt.self) {
                        $0
                    }
                    if let descriptor { accepted.withLock { $0.append(descriptor) } }
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let port = listener.localAddress?.port ?? 0
        var clients: [any Channel] = []
        for _ in 0..<sockets {
            clients.append(
                try await ClientBootstrap(group: eventLoop)
                    .channelOption(.maxMessagesPerRead, value: 1)
                    .channelInitializer { channel in
                        channel.eventLoop.makeCompletedFuture {
                            try channel.pipeline.syncOperations.addHandler(ByteCounter(board: board.value))
                        }
                    }
                    .connect(host: "127.0.0.1", port: port).get())
        }
        // A socket is accepted a moment after it is connected.
        while accepted.withLock({ $0.count }) < sockets { try await eventLoop.submit {}.get() }
        return WriteLoop(
            descriptors: accepted.withLock { $0 }, listener: listener, clients: clients, board: board)
    }

    private init(
        descriptors: [CInt], listener: any Channel, clients: [any Channel], board: NIOLoopBound<ByteBoard>
    ) {
        self.descriptors = descriptors
        self.listener = listener
        self.clients = clients
        self.board = board
    }

    /// Writes `bytes` to all sockets in turn, again when all have been read, until the time is over.
    func run(bytes: Int, for duration: Duration) async throws -> Cost {
        let board = board
        let cost = board.eventLoop.makePromise(of: Cost.self)
        let thread = Thread { [descriptors] in
            let payload = [UInt8](repeating: UInt8(ascii: "x"), count: bytes)
            let end = ContinuousClock.now + duration
            var seconds = 0.0
            var waited = 0.0
            var turns = 0
            while ContinuousClock.now < end {
                let isRead = DispatchSemaphore(value: 0)
                board.eventLoop.execute {
                    board.value.expect(bytes * descriptors.count) { isRead.signal() }
                }
                let begin = ContinuousClock.now
                let start = ProcessorTime.secondsOfThread()
                for descriptor in descriptors {
                    _ = payload.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
                }
                seconds += ProcessorTime.secondsOfThread() - start
                isRead.wait()
                waited += (ContinuousClock.now - begin) / .seconds(1)
                turns += 1
            }
            cost.succeed(
                Cost(
                    processorSeconds: seconds / Double(max(1, turns * descriptors.count)),
                    lastSocketSeconds: waited / Double(max(1, turns))))
        }
        thread.start()
        return try await cost.futureResult.get()
    }

    func close() async throws {
        try await listener.close().get()
        for client in clients { try await client.close().get() }
    }
}

/// The number of bytes that all sockets together have read. Confined to the event loop.
private final class ByteBoard {
    private var missing = 0
    private var onComplete: (() -> Void)?

    func expect(_ bytes: Int, onComplete: @escaping () -> Void) {
        missing += bytes
        self.onComplete = onComplete
        progress()
    }

    func count(_ bytes: Int) {
        missing -= bytes
        progress()
    }

    /// Bytes may be read before they are expected.
    private func progress() {
        guard missing == 0, let complete = onComplete else { return }
        onComplete = nil
        complete()
    }
}

private final class ByteCounter: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let board: ByteBoard

    init(board: ByteBoard) { self.board = board }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        board.count(unwrapInboundIn(data).readableBytes)
    }
}
