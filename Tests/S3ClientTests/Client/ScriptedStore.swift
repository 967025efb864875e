import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

/// A server that answers requests, one after the other, with the bytes that a test has written down.
struct ScriptedStore {
    /// What it does with a request.
    enum Answer: Sendable {
        /// Sends these bytes and keeps the connection open.
        case bytes(String)
        /// Sends these bytes and closes the connection.
        case cut(String)
        case nothing

        /// A whole response.
        static func whole(_ status: String, _ body: String = "", _ headers: [String] = []) -> Answer {
            .bytes(head(status, length: body.utf8.count, headers) + body)
        }

        static func head(_ status: String, length: Int, _ headers: [String] = []) -> String {
            (["HTTP/1.1 \(status)", "Content-Length: \(length)"] + headers + ["", ""]).joined(separator: "\r\n")
        }
    }

    struct Request: Sendable {
        let method: HTTPMethod
        let uri: String
        let headers: HTTPHeaders
        var bodyBytes = 0
    }

    private let script: Script
    private let channel: any Channel
    /// Also once it is closed.
    let url: String

    /// - Parameter answers: to the requests in order; the last one is repeated.
    init(_ answers: Answer...) async throws {
        let script = Script(answers)
        self.script = script
        channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandlers([
                        ByteToMessageHandler(HTTPRequestDecoder()), ScriptHandler(script),
                    ])
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        url = "http://127.0.0.1:\(channel.localAddress?.port ?? 0)/bucket"
    }

    /// What was asked so far.
    var requests: [Request] { script.state.withLock { $0.requests } }

    func close() async throws { try await channel.close() }
}

private final class Script: Sendable {
    let state: Mutex<(answers: [ScriptedStore.Answer], requests: [ScriptedStore.Request])>

    init(_ answers: [ScriptedStore.Answer]) { state = Mutex((answers, [])) }

    func answer(to request: ScriptedStore.Request) -> ScriptedStore.Answer {
        state.withLock { state in
            state.requests.append(request)
            return state.answers.count > 1 ? state.answers.removeFirst() : state.answers.first ?? .nothing
        }
    }
}

private final class ScriptHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = ByteBuffer

    private let script: Script
    private var request: ScriptedStore.Request?

    init(_ script: Script) { self.script = script }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            request = ScriptedStore.Request(method: head.method, uri: head.uri, headers: head.headers)
        case .body(let body): request?.bodyBytes += body.readableBytes
        case .end:
            guard let request = request.take() else { return }
            switch script.answer(to: request) {
            case .bytes(let text): context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: text)), promise: nil)
            case .cut(let text):
                context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: text)), promise: nil)
                context.close(promise: nil)
            case .nothing: break
            }
        }
    }
}
