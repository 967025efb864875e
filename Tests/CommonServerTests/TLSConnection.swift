import ChatTestSupport
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import NIOSSL
import NIOTLS

/// One TLS connection to a server that calls itself `localhost`, and what was agreed on it.
struct TLSConnection {
    let channel: any Channel
    let applicationProtocol: String?
    let certificate: NIOSSLCertificate?

    private let answers: NIOLockedValueBox<String>
    private let answered: EventLoopPromise<Void>

    /// - Throws: why there is no TLS.
    init(port: Int, trusting file: String, maximumVersion: TLSVersion? = nil) async throws {
        var tls = TLSConfiguration.trusting(file)
        tls.maximumTLSVersion = maximumVersion
        tls.applicationProtocols = ["h2", "http/1.1"]
        let context = try NIOSSLContext(configuration: tls)
        let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
        let handshake = eventLoop.makePromise(of: String?.self)
        let answers = NIOLockedValueBox("")
        let answered = eventLoop.makePromise(of: Void.self)
        channel = try await ClientBootstrap(group: eventLoop)
            .connectTimeout(.seconds(10))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandlers(
                        NIOSSLClientHandler(context: context, serverHostname: "localhost"),
                        ResponseReader(handshake: handshake, answers: answers, answered: answered))
                }
            }
            .connect(host: "127.0.0.1", port: port).get()
        applicationProtocol = try await handshake.futureResult.get()
        certificate = try await channel.nioSSL_peerCertificate().get()
        self.answers = answers
        self.answered = answered
    }

    /// Asks once, and gives the first line of the answer.
    func ask(_ path: String) async throws -> String {
        try await channel.writeAndFlush(ByteBuffer(string: "GET \(path) HTTP/1.1\r\nHost: localhost\r\n\r\n"))
        try await answered.futureResult.get()
        return answers.withLockedValue { String($0.prefix { $0 != "\r\n" }) }
    }
}

private final class ResponseReader: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let handshake: EventLoopPromise<String?>
    private let answers: NIOLockedValueBox<String>
    private let answered: EventLoopPromise<Void>

    init(handshake: EventLoopPromise<String?>, answers: NIOLockedValueBox<String>, answered: EventLoopPromise<Void>) {
        self.handshake = handshake
        self.answers = answers
        self.answered = answered
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case TLSUserEvent.handshakeCompleted(let name) = event else { return }
        handshake.succeed(name)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        answers.withLockedValue { $0 += String(buffer: unwrapInboundIn(data)) }
        answered.succeed()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        handshake.fail(error)
        answered.fail(error)
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        handshake.fail(ChannelError.eof)
        answered.fail(ChannelError.eof)
    }
}
