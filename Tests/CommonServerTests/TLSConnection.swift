import ChatTestSupport
import NIOCore
import NIOPosix
import NIOSSL
import Synchronization
import NIOTLS

/// One TLS connection to a server that calls itself `localhost`, and what was agreed on it.
struct TLSConnection {
    let channel: any Channel
    let applicationProtocol: String?
    let certificate: NIOSSLCertificate?

    private let received: ReceivedText
    private let responded: EventLoopPromise<Void>

    /// - Throws: why there is no TLS.
    init(port: Int, trusting file: String, maximumVersion: TLSVersion? = nil) async throws {
        var tls = TLSConfiguration.trusting(file)
        tls.maximumTLSVersion = maximumVersion
        tls.applicationProtocols = ["h2", "http/1.1"]
        let context = try NIOSSLContext(configuration: tls)
        let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
        let handshake = eventLoop.makePromise(of: String?.self)
        let received = ReceivedText()
        let responded = eventLoop.makePromise(of: Void.self)
        channel = try await ClientBootstrap(group: eventLoop)
            .connectTimeout(.seconds(10))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandlers(
                        NIOSSLClientHandler(context: context, serverHostname: "localhost"),
                        ResponseReader(handshake: handshake, received: received, responded: responded))
                }
            }
            .connect(host: "127.0.0.1", port: port).get()
        applicationProtocol = try await handshake.futureResult.get()
        certificate = try await channel.nioSSL_peerCertificate().get()
        self.received = received
        self.responded = responded
    }

    /// Asks once, and gives the first line of the answer.
    func ask(_ path: String) async throws -> String {
        try await channel.writeAndFlush(ByteBuffer(string: "GET \(path) HTTP/1.1\r\nHost: localhost\r\n\r\n"))
        try await responded.futureResult.get()
        return String(received.text.prefix { $0 != "\r\n" })
    }
}

private final class ResponseReader: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let handshake: EventLoopPromise<String?>
    private let received: ReceivedText
    private let responded: EventLoopPromise<Void>

    init(handshake: EventLoopPromise<String?>, received: ReceivedText, responded: EventLoopPromise<Void>) {
        self.handshake = handshake
        self.received = received
        self.responded = responded
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case TLSUserEvent.handshakeCompleted(let name) = event else { return }
        handshake.succeed(name)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        received.append(String(buffer: unwrapInboundIn(data)))
        responded.succeed()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        handshake.fail(error)
        responded.fail(error)
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        handshake.fail(ChannelError.eof)
        responded.fail(ChannelError.eof)
    }
}

private final class ReceivedText: Sendable {
    private let received = Mutex("")
    var text: String { received.withLock { $0 } }
    func append(_ text: String) { received.withLock { $0 += text } }
}
