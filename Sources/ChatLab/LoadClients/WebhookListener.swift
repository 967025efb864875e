import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

/// An HTTP server on a loopback port that takes what webhooks post. It can end in the middle of an answer, as a process
/// that is killed, and begin again on the same port.
final class WebhookListener: Sendable {
    struct Request: Sendable {
        var path: String
        var headers: HTTPHeaders
        var body: ByteBuffer
        /// The connection that it came by.
        var connection: ObjectIdentifier
    }

    struct Answer: Sendable {
        /// The bytes of a response, or of its beginning.
        var bytes: String
        /// The time until they are sent.
        var delay = Duration.zero
        /// Whether the listener and all its connections end behind these bytes.
        var isLast = false

        static func status(_ status: Int, headers: String = "", delay: Duration = .zero) -> Answer {
            Answer(bytes: "HTTP/1.1 \(status) -\r\nContent-Length: 0\r\n\(headers)\r\n", delay: delay)
        }
    }

    static let path = "/webhook"

    private let port: Int
    private let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
    /// The one that listens, and its connections.
    private let channels = Mutex<[ObjectIdentifier: any Channel]>([:])

    init(port: Int) { self.port = port }

    var url: String { "http://127.0.0.1:\(port)\(Self.path)" }

    /// Listens.
    /// - Parameters:
    ///   - onEnd: called on the event loop with each connection that has ended.
    ///   - respond: called on the event loop for each request.
    func start(
        onEnd: @escaping @Sendable (ObjectIdentifier) -> Void = { _ in },
        respond: @escaping @Sendable (Request) -> Answer
    ) async throws {
        let channel = try await ServerBootstrap(group: eventLoop)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { [self] channel in
                channel.eventLoop.makeCompletedFuture {
                    add(channel, onEnd: onEnd)
                    try channel.pipeline.syncOperations.addHandlers(
                        ByteToMessageHandler(HTTPRequestDecoder()), RequestCollector(listener: self, respond: respond))
                }
            }
            .bind(host: "127.0.0.1", port: port).get()
        add(channel) { _ in }
    }

    /// Closes everything at once, whatever is under way.
    func stop() {
        for channel in channels.withLock({ Array($0.values) }) { channel.close(promise: nil) }
    }

    private func add(_ channel: any Channel, onEnd: @escaping @Sendable (ObjectIdentifier) -> Void) {
        let id = ObjectIdentifier(channel)
        channels.withLock { $0[id] = channel }
        channel.closeFuture.whenComplete { _ in
            self.channels.withLock { $0[id] = nil }
            onEnd(id)
        }
    }

    private final class RequestCollector: ChannelInboundHandler {
        typealias InboundIn = HTTPServerRequestPart
        typealias OutboundOut = ByteBuffer

        private let listener: WebhookListener
        private let respond: @Sendable (Request) -> Answer
        private var request: Request?

        init(listener: WebhookListener, respond: @escaping @Sendable (Request) -> Answer) {
            self.listener = listener
            self.respond = respond
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            switch unwrapInboundIn(data) {
            case .head(let head):
                request = Request(
                    path: head.uri, headers: head.headers, body: ByteBuffer(),
                    connection: ObjectIdentifier(context.channel))
            case .body(var part):
                request?.body.writeBuffer(&part)
            case .end:
                guard let request else { return }
                self.request = nil
                answer(respond(request), context)
            }
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

        private func answer(_ answer: Answer, _ context: ChannelHandlerContext) {
            guard answer.delay > .zero else { return send(answer, context) }
            let (me, bound) = (
                NIOLoopBound(self, eventLoop: context.eventLoop), NIOLoopBound(context, eventLoop: context.eventLoop)
            )
            context.eventLoop.scheduleTask(in: TimeAmount(answer.delay)) { me.value.send(answer, bound.value) }
        }

        private func send(_ answer: Answer, _ context: ChannelHandlerContext) {
            guard context.channel.isActive else { return }
            let promise = answer.isLast ? context.eventLoop.makePromise(of: Void.self) : nil
            promise?.futureResult.whenComplete { [listener] _ in listener.stop() }
            context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: answer.bytes)), promise: promise)
        }
    }
}
