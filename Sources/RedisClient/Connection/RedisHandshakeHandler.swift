import NIOCore

/// Runs the ``Handshake`` on a connected channel, then leaves the pipeline.
final class RedisHandshakeHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = [RESPFrame]
    typealias OutboundOut = ByteBuffer

    private var handshake: Handshake
    private let established: EventLoopPromise<Void>
    private var isDone = false

    /// - Parameter established: completed once, at the latest when the handler leaves the pipeline.
    init(_ handshake: Handshake, established: EventLoopPromise<Void>) {
        self.handshake = handshake
        self.established = established
    }

    func handlerAdded(context: ChannelHandlerContext) {
        guard context.channel.isActive else {
            return finish(.failure(ConnectionFailure(.notConnected, reason: "closed by the server at once")))
        }
        var bytes = context.channel.allocator.buffer(capacity: 256)
        for command in handshake.commands {
            bytes.writeRedisCommand(command)
        }
        context.writeAndFlush(wrapOutboundOut(bytes), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        for frame in unwrapInboundIn(data) where !isDone {
            guard case .value(let reply) = frame else { continue }
            switch handshake.receive(reply) {
            case .wait: continue
            case .established:
                finish(.success(()))
                context.pipeline.syncOperations.removeHandler(self, promise: nil)
            case .fail(let error):
                finish(.failure(ConnectionFailure(error)))
                context.close(promise: nil)
            }
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        finish(.failure(ConnectionFailure(connecting: error)))
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        finish(.failure(ConnectionFailure(.notConnected, reason: "closed by the server during the handshake")))
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        finish(.failure(ConnectionFailure(.notConnected, reason: "closed during the handshake")))
    }

    private func finish(_ result: Result<Void, ConnectionFailure>) {
        guard !isDone else { return }
        isDone = true
        switch result {
        case .success: established.succeed()
        case .failure(let failure): established.fail(failure)
        }
    }
}

/// The first commands of a connection: `AUTH`, `SELECT`, `CLIENT SETNAME` and a `PING`. They are sent at once, and
/// their replies are checked in order. Pure: no I/O.
struct Handshake {
    /// The commands, in order.
    enum Step: Equatable {
        case authenticate
        case select
        case setName
        case ping
    }

    /// What to do after a reply.
    enum Action: Equatable {
        case wait
        case established
        case fail(RedisError)
    }

    private(set) var remaining: ArraySlice<Step>
    let commands: [[RedisArgument]]

    init(_ configuration: RedisConfiguration) {
        var steps: [(step: Step, command: [RedisArgument])] = []
        if let password = configuration.password {
            let user = configuration.username.map { [RedisArgument.string($0)] } ?? []
            steps.append((.authenticate, ["AUTH"] + user + [.string(password.text)]))
        }
        if configuration.database != 0 {
            steps.append((.select, ["SELECT", .integer(configuration.database)]))
        }
        if let name = configuration.clientName {
            steps.append((.setName, ["CLIENT", "SETNAME", .string(name)]))
        }
        steps.append((.ping, ["PING"]))
        remaining = steps.map(\.step)[...]
        commands = steps.map(\.command)
    }

    mutating func receive(_ reply: RESPValue) -> Action {
        guard let step = remaining.popFirst() else { return .fail(.protocolViolation) }
        // The name is optional: an ACL may forbid it.
        if case .error(let message) = reply, step != .setName {
            return .fail(.server(step == .authenticate ? Self.withoutArguments(message) : message))
        }
        return remaining.isEmpty ? .established : .wait
    }

    /// Removes arguments from an error text: a server that does not know `AUTH` quotes them.
    private static func withoutArguments(_ message: String) -> String {
        if message.hasPrefix("WRONGPASS ") || message.hasPrefix("ERR AUTH ") { return message }
        return "\(message.prefix { $0 != " " }) AUTH was refused"
    }
}
