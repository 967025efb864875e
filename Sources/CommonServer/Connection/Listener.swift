import Glibc
import Logging
import NIOCore
import NIOExtras
import NIOPosix
import ServiceLifecycle

/// Accepts the connections of a server's port and ends them on graceful shutdown.
///
/// Each event loop has a listening socket of its own, and keeps what it accepts there: a connection costs no hop from
/// one thread to another. The kernel spreads connections over the sockets of a port (`SO_REUSEPORT`).
struct Listener: Service {
    typealias Setup = @Sendable (any Channel) throws -> Void

    private static let backlog: Int32 = 1_024

    let host: String
    let port: Int
    let eventLoops: [any EventLoop]
    /// Begins the pipeline of each connection, on its event loop.
    let setup: Setup
    let http: HTTPConnections
    /// Gets one of the listening channels, whose address tells the port.
    let onRunning: @Sendable (any Channel) async -> Void
    let logger: Logger

    /// One socket that listens, and what it accepted.
    private struct ListeningSocket {
        let channel: any Channel
        let quiescing: ServerQuiescingHelper
        /// Succeeds when nothing is open any more.
        let allClosed: EventLoopPromise<Void>

        func close() { quiescing.initiateShutdown(promise: allClosed) }
    }

    func run() async throws {
        let sockets = try await listen()
        logger.info("Listening on \(sockets[0].channel.localAddress.map { "\($0)" } ?? "\(host):\(port)")")
        // One that closes by itself has failed: then the server ends, and its service group with it.
        let ends = sockets.map { socket in socket.channel.closeFuture.map { for socket in sockets { socket.close() } } }
        await withTaskCancellationOrGracefulShutdownHandler {
            await onRunning(sockets[0].channel)
            async let isServed: Void = http.serve()
            for socket in sockets { try? await socket.allClosed.futureResult.get() }
            // Whoever ran this may end the event loops, on which nothing must be left to do.
            for end in ends { try? await end.get() }
            http.end()
            await isServed
        } onCancelOrGracefulShutdown: {
            for socket in sockets { socket.close() }
        }
    }

    /// The first socket takes the port for itself, so that one in use is found; then it lets the others in.
    private func listen() async throws -> [ListeningSocket] {
        let first = try await listen(
            on: eventLoops[0], at: try SocketAddress.makeAddressResolvingHost(host, port: port))
        var sockets = [first]
        do {
            guard let address = first.channel.localAddress, eventLoops.count > 1 else { return sockets }
            try await first.channel.setOption(.socketOption(.sharedPort), value: 1).get()
            for eventLoop in eventLoops.dropFirst() {
                sockets.append(try await listen(on: eventLoop, at: address, sharing: true))
            }
            return sockets
        } catch {
            for socket in sockets { socket.close() }
            throw error
        }
    }

    private func listen(
        on eventLoop: any EventLoop, at address: SocketAddress, sharing: Bool = false
    ) async throws -> ListeningSocket {
        let quiescing = ServerQuiescingHelper(group: eventLoop)
        let warning = RateLimitedWarning(logger)
        let channel = try await ServerBootstrap(group: eventLoop)
            .serverChannelOption(.backlog, value: Self.backlog)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelOption(.socketOption(.sharedPort), value: sharing ? 1 : 0)
            .serverChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(quiescing.makeServerChannelHandler(channel: channel))
                    try channel.pipeline.syncOperations.addHandler(AcceptRest(warning: warning))
                }
            }
            .childChannelInitializer { [setup] channel in
                channel.eventLoop.makeCompletedFuture { try setup(channel) }
            }
            .bind(to: address).get()
        return ListeningSocket(channel: channel, quiescing: quiescing, allClosed: eventLoop.makePromise())
    }
}

extension NIOBSDSocket.Option {
    fileprivate static let sharedPort = Self(rawValue: SO_REUSEPORT)
}
