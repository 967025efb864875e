import CommonLogging
import CommonUtil
import Glibc
import Logging
import NIOCore
import NIOExtras
import NIOPosix
import ServiceLifecycle

/// Accepts the connections of a server's port and ends them on graceful shutdown.
///
/// Each event loop has its own listening socket and keeps the connections that it accepts: no connection hops between
/// threads. The kernel distributes connections over the sockets of a port (`SO_REUSEPORT`, `socket(7)`).
struct Listener: Service {
    typealias Setup = @Sendable (any Channel) throws -> Void

    private static let backlog: Int32 = 1_024

    let host: String
    let port: Int
    let eventLoops: [any EventLoop]
    /// Adds the first handlers to each connection, on its event loop.
    let setup: Setup
    let http: HTTPConnections
    /// Called with one of the listening channels, whose address has the port.
    let onRunning: @Sendable (any Channel) async -> Void
    let logger: Logger

    /// A listening socket and the connections that it accepted.
    private struct ListeningSocket {
        let channel: any Channel
        let quiescing: ServerQuiescingHelper
        /// Succeeds once the socket and all its connections are closed.
        let allClosed: EventLoopPromise<Void>

        func close() { quiescing.initiateShutdown(promise: allClosed) }
    }

    func run() async throws {
        let sockets = try await listen()
        logger.info("Listening on \(sockets[0].channel.localAddress.map { "\($0)" } ?? "\(host):\(port)")")
        // A socket that closes by itself has failed: then the server ends, and its service group with it.
        let ends = sockets.map { socket in socket.channel.closeFuture.map { for socket in sockets { socket.close() } } }
        await withTaskCancellationOrGracefulShutdownHandler {
            await onRunning(sockets[0].channel)
            async let isServed: Void = http.serve()
            for socket in sockets { try? await socket.allClosed.futureResult.get() }
            // The caller may shut the event loops down, so no callback may be left on them.
            for end in ends { try? await end.get() }
            http.end()
            await isServed
        } onCancelOrGracefulShutdown: {
            for socket in sockets { socket.close() }
        }
    }

    /// Opens a socket per event loop. The first one binds the port exclusively, which fails where it is in use; then it
    /// shares the port with the others.
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
        let channel = try await ServerBootstrap(group: eventLoop)
            .serverChannelOption(.backlog, value: Self.backlog)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelOption(.socketOption(.sharedPort), value: sharing ? 1 : 0)
            .serverChannelInitializer { [logger] channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(quiescing.makeServerChannelHandler(channel: channel))
                    try channel.pipeline.syncOperations.addHandler(AcceptBackoff(logger: logger))
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

/// Stops accepting for a second where descriptors or memory are used up.
///
/// NIO's own back-off does not call `accept(2)` meanwhile, but leaves the socket registered for reading. It stays
/// readable, so the event loop spins. Meanwhile the process has its spare descriptors (``SpareDescriptors``).
final class AcceptBackoff: ChannelInboundHandler {
    typealias InboundIn = any Channel

    static let pause = TimeAmount.seconds(1)

    private let spares: SpareDescriptors
    private let warnings: RateLimitedLogger
    private var isPaused = false

    init(spares: SpareDescriptors = .ofProcess, logger: Logger) {
        self.spares = spares
        warnings = RateLimitedLogger(logger: logger, message: "No connection can be accepted")
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard let error = error as? IOError, Self.isShortage(error.errnoCode) else {
            return context.fireErrorCaught(error)
        }
        guard !isPaused else { return }
        isPaused = true
        spares.release()
        warnings.warning(["reason": "\(String(cString: strerror(error.errnoCode)))"])
        setAccepting(false, context.channel)
        resumeLater(context.channel)
    }

    private func resumeLater(_ channel: any Channel) {
        channel.eventLoop.assumeIsolated().scheduleTask(in: Self.pause) { [self] in
            guard spares.hold() else { return resumeLater(channel) }
            isPaused = false
            setAccepting(true, channel)
        }
    }

    private func setAccepting(_ isAccepting: Bool, _ channel: any Channel) {
        // Fails only where the channel is closed.
        try? channel.syncOptions?.setOption(.autoRead, value: isAccepting)
    }

    private static func isShortage(_ code: CInt) -> Bool { [EMFILE, ENFILE, ENOBUFS, ENOMEM].contains(code) }
}

@available(*, unavailable)
extension AcceptBackoff: Sendable {}

/// Checks of the address that a server is to listen on.
enum ListenAddress {
    /// Binds the address, on any port, so that a wrong `CHAT_HOST` is found before the server waits for anything.
    /// - Throws: `ConfigurationError` for a host that does not resolve, or is not of this machine.
    static func check(_ host: String) throws(ConfigurationError) {
        guard let address = try? SocketAddress.makeAddressResolvingHost(host, port: 0) else { throw refusal(of: host) }
        let descriptor = socket(address.protocol.rawValue, Int32(SOCK_STREAM.rawValue), 0)
        // Without a descriptor nothing can be checked; the listener will fail if the address is wrong.
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        let status = address.withSockAddr { bind(descriptor, $0, socklen_t($1)) }
        if status != 0, errno == EADDRNOTAVAIL { throw refusal(of: host) }
    }

    /// The error for a host that cannot be listened on.
    static func refusal(of host: String) -> ConfigurationError {
        let setting = Settings.host
        return ConfigurationError(
            name: setting.name, held: host, isSecret: setting.isSecret, allowed: setting.allowed)
    }
}
