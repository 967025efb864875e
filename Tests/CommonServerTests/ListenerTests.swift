import Glibc
import HTTPTypes
import HummingbirdCore
import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle
import Synchronization
import Testing

@testable import CommonServer

@Suite(.timeLimit(.minutes(1))) struct ListenerTests {
    private let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    private func http() -> HTTPConnections {
        HTTPConnections(
            http: ChatHTTPChannel(
                responder: { _, writer, _ in try await writer.writeHead(.init(status: .noContent)).finish(nil) },
                directRoutes: nil, headTimeout: .seconds(10)), logger: logger)
    }

    /// Runs a listener on a free port, and `body` against it.
    private func run(
        loops: Int, setup: @escaping Listener.Setup, http: HTTPConnections? = nil,
        _ body: @escaping @Sendable (_ port: Int, _ stop: @Sendable () async -> Void) async throws -> Void
    ) async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: loops)
        let (ports, running) = AsyncStream.makeStream(of: Int.self)
        let listener = Listener(
            host: "127.0.0.1", port: 0, eventLoops: group.makeIterator().map { $0 }, setup: setup,
            http: http ?? self.http(), onRunning: { running.yield($0.localAddress?.port ?? 0) }, logger: logger)
        let services = ServiceGroup(services: [listener], logger: logger)
        try await withThrowingTaskGroup { tasks in
            tasks.addTask { try await services.run() }
            let port = try #require(await ports.first { _ in true })
            try await body(port) { await services.triggerGracefulShutdown() }
            await services.triggerGracefulShutdown()
            try await tasks.waitForAll()
        }
        try await group.shutdownGracefully()
    }

    private static func connect(_ port: Int) async throws -> any Channel {
        try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton).connectTimeout(.seconds(10))
            .connect(host: "127.0.0.1", port: port).get()
    }

    @Test func `every event loop accepts, and keeps what it accepts`() async throws {
        let loops = Mutex<[ObjectIdentifier: Int]>([:])
        let (accepted, accepting) = AsyncStream.makeStream(of: Void.self)
        let setup: Listener.Setup = { channel in
            #expect(channel.eventLoop.inEventLoop)
            loops.withLock { $0[ObjectIdentifier(channel.eventLoop), default: 0] += 1 }
            accepting.yield()
        }
        try await run(loops: 2, setup: setup) { port, _ in
            var channels: [any Channel] = []
            for _ in 0..<100 { channels.append(try await Self.connect(port)) }
            for await _ in accepted where loops.withLock({ $0.values.reduce(0, +) }) == 100 { break }
            for channel in channels { try await channel.close() }
        }
        #expect(loops.withLock { $0.count } == 2)
    }

    @Test func `the port is taken, whoever else wants it`() async throws {
        try await run(loops: 2, setup: { _ in }) { port, _ in
            let other = Listener(
                host: "127.0.0.1", port: port, eventLoops: Array(MultiThreadedEventLoopGroup.singleton.makeIterator()),
                setup: { _ in }, http: self.http(), onRunning: { _ in }, logger: self.logger)
            let error = await #expect(throws: IOError.self) { try await other.run() }
            #expect(error?.errnoCode == EADDRINUSE)
        }
    }

    @Test
    func `on shutdown nothing more is accepted, connections are informed, and the end waits for the last of them`()
        async throws
    {
        let informed = Mutex(0)
        let (ends, ending) = AsyncStream.makeStream(of: Void.self)
        let (accepted, accepting) = AsyncStream.makeStream(of: Void.self)
        let setup: Listener.Setup = { channel in
            accepting.yield()
            try channel.pipeline.syncOperations.addHandler(
                Stubborn {
                    informed.withLock { $0 += 1 }; ending.yield()
                })
        }
        try await run(loops: 2, setup: setup) { port, stop in
            var channels: [any Channel] = []
            for _ in 0..<20 { channels.append(try await Self.connect(port)) }
            // The kernel completes connections by itself: those that no event loop has accepted are not informed.
            for await _ in accepted.prefix(20) {}
            await stop()
            for await _ in ends where informed.withLock({ $0 }) == 20 { break }
            await #expect(throws: (any Error).self) { _ = try await Self.connect(port) }
            #expect(channels.allSatisfy { $0.isActive })
            for channel in channels { try await channel.close() }
        }
        #expect(informed.withLock { $0 } == 20)
    }

    @Test func `a connection that begins after the end is closed`() async throws {
        let http = http()
        http.end()
        try await run(loops: 1, setup: { try http.begin($0) }) { port, _ in
            try await Self.connect(port).closeFuture.get()
        }
    }
}

/// Does not close when it is asked to.
private final class Stubborn: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let onQuiesce: () -> Void

    init(onQuiesce: @escaping () -> Void) { self.onQuiesce = onQuiesce }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is ChannelShouldQuiesceEvent { onQuiesce() }
    }
}
