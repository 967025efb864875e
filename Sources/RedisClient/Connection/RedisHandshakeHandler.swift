import NIOCore

/// Runs the ``Handshake`` on a connected channel, then leaves the pipeline.
final class RedisHandshakeHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = [RESPFrame]
    typealias OutboundOut = ByteBuffer

    private var handshake: Handshake
    private let established: EventLoopPromise<Void>
    private var isDone = false

    /// `established` is completed exactly once, at the latest when the handler leaves the pipeline.
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
