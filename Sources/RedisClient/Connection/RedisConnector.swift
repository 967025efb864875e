import NIOCore
import NIOPosix
import NIOSSL
import Synchronization

/// Makes connections: name lookup, TCP, TLS and handshake under one deadline.
struct RedisConnector: Sendable {
    /// Adds the handler of an established connection. Called on the event loop.
    typealias Install = @Sendable (any Channel) throws -> RedisLink

    let configuration: RedisConfiguration
    let eventLoop: any EventLoop
    let mode: RESPDecoder.Mode
    private let tls: Result<NIOSSLContext?, ConnectionFailure>

    init(configuration: RedisConfiguration, eventLoop: any EventLoop, mode: RESPDecoder.Mode) {
        self.configuration = configuration
        self.eventLoop = eventLoop
        self.mode = mode
        tls = Result { () throws(ConnectionFailure) in try Self.tlsContext(configuration) }
    }

    /// Makes a connection.
    /// - Throws: ``ConnectionFailure``, with ``RedisError/cancelled`` as soon as the task is cancelled.
    func connect(install: @escaping Install) async throws -> RedisLink {
        let tls = try tls.get()
        let attempt = ConnectionAttempt(eventLoop.makePromise(of: RedisLink.self))
        let deadline = eventLoop.scheduleTask(in: TimeAmount(configuration.connectTimeout)) {
            attempt.fail(ConnectionFailure(.timedOut, reason: "no connection in time"))
        }
        defer { deadline.cancel() }
        return try await withTaskCancellationHandler {
            start(attempt, tls: tls, install: install)
            return try await attempt.result.get()
        } onCancel: {
            attempt.fail(ConnectionFailure(.cancelled))
        }
    }

    private func start(_ attempt: ConnectionAttempt, tls: NIOSSLContext?, install: @escaping Install) {
        ClientBootstrap(group: eventLoop)
            .connectTimeout(TimeAmount(configuration.connectTimeout))
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelOption(.socketOption(.so_keepalive), value: 1)
            .connect(host: configuration.host, port: configuration.port)
            .flatMap { channel in
                attempt.connected(channel)
                return shakeHands(on: channel, tls: tls).flatMapThrowing { try install(channel) }
            }
            .whenComplete { result in
                switch result {
                case .success(let link): attempt.succeed(link)
                case .failure(let error): attempt.fail(ConnectionFailure(connecting: error))
                }
            }
    }

    // The handlers are added once the channel is connected: before that there may be several channels, one per address.
    // A Redis server does not send first, so nothing is missed.
    private func shakeHands(on channel: any Channel, tls: NIOSSLContext?) -> EventLoopFuture<Void> {
        let established = channel.eventLoop.makePromise(of: Void.self)
        let handshake = RedisHandshakeHandler(Handshake(configuration), established: established)
        do {
            let pipeline = channel.pipeline.syncOperations
            if let tls {
                // Server name indication is for names only (RFC 6066, section 3); an address is verified all the same.
                let isAddress = (try? SocketAddress(ipAddress: configuration.host, port: 0)) != nil
                let name = isAddress ? nil : configuration.host
                try pipeline.addHandler(NIOSSLClientHandler(context: tls, serverHostname: name))
            }
            try pipeline.addHandler(RESPDecoder(mode: mode, maximumReplyBytes: configuration.maximumReplyBytes))
            try pipeline.addHandler(handshake)
        } catch {
            established.fail(error)
            channel.close(promise: nil)
        }
        return established.futureResult
    }

    private static func tlsContext(_ configuration: RedisConfiguration) throws(ConnectionFailure) -> NIOSSLContext? {
        guard configuration.usesTLS else { return nil }
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.minimumTLSVersion = .tlsv12
        tls.additionalTrustRoots = configuration.trustFile.map { [.file($0)] } ?? []
        do {
            return try NIOSSLContext(configuration: tls)
        } catch {
            throw ConnectionFailure(.invalidConfiguration("TLS: \(error)"))
        }
    }
}

/// One attempt, which ends once: by success, failure, deadline or cancellation. A channel that comes later is closed.
private final class ConnectionAttempt: Sendable {
    private struct State {
        var channel: (any Channel)?
        var isOver = false
    }

    private let state = Mutex(State())
    private let promise: EventLoopPromise<RedisLink>

    var result: EventLoopFuture<RedisLink> { promise.futureResult }

    init(_ promise: EventLoopPromise<RedisLink>) {
        self.promise = promise
    }

    func connected(_ channel: any Channel) {
        let isLate = state.withLock { state in
            state.channel = channel
            return state.isOver
        }
        if isLate {
            channel.close(promise: nil)
        }
    }

    func succeed(_ link: RedisLink) {
        if end() == nil {
            link.channel.close(promise: nil)
        } else {
            promise.succeed(link)
        }
    }

    func fail(_ failure: ConnectionFailure) {
        guard let channel = end() else { return }
        promise.fail(failure)
        channel?.close(promise: nil)
    }

    /// Ends the attempt.
    /// - Returns: `nil` if it had ended before, else the channel if there is one.
    private func end() -> (any Channel)?? {
        state.withLock { state in
            if state.isOver { return nil }
            state.isOver = true
            return .some(state.channel)
        }
    }
}

/// An established connection, as ``ReconnectLoop`` uses it.
struct RedisLink: Sendable {
    let channel: any Channel
    /// Succeeds with the reason when the connection has ended.
    let lost: EventLoopFuture<String>
    /// Lets commands in flight finish within a bound, then closes. May be called from any thread, more than once.
    let shutDown: @Sendable () -> Void
}

/// Why there is no connection: an error for callers and a short reason for logs and health checks, both without
/// secrets.
struct ConnectionFailure: Error, Sendable, Hashable {
    let error: RedisError
    let reason: String

    init(_ error: RedisError, reason: String? = nil) {
        self.error = error
        self.reason = reason ?? error.description
    }

    /// Whether an operator has to act.
    var needsOperator: Bool {
        switch error {
        case .server, .invalidConfiguration: true
        default: false
        }
    }

    /// Errors of NIO and NIOSSL name addresses and certificates, never credentials.
    init(connecting error: any Error) {
        switch error {
        case let failure as ConnectionFailure: self = failure
        case let error as RedisError: self.init(error)
        case let error as NIOConnectionError:
            let cause = error.connectionErrors.first?.error ?? error.dnsAError ?? error.dnsAAAAError
            self.init(.notConnected, reason: cause.map { "\($0)" } ?? "the name cannot be resolved")
        default: self.init(.notConnected, reason: "\(error)")
        }
    }
}
