import Foundation
import NIOCore
import NIOPosix

/// One event stream for load, on its event loop alone: what an `EventSource` gets, and how it ended.
final class EventStreamClient: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    enum Event {
        /// The data of a `message`, and the last event ID after it.
        case message(ByteBuffer, id: String)
        /// How long to stay away after an end, in milliseconds.
        case retry(Int)
        /// The end: the code of `event: close`, or the close code that stands for a refusal's HTTP status; nil for an end
        /// without one.
        case closed(UInt16?)
    }

    private struct Close: Decodable {
        var code: UInt16
    }

    /// What a WebSocket would be closed with.
    private static let closeCodes: [Int: UInt16] = [
        401: 4401, 403: 4403, 404: 4404, 409: 4409, 422: 1007, 429: 4429,
    ]

    private let request: String
    private let onEvent: (Event) -> Void
    private var head: HTTPStreamHead? = HTTPStreamHead()
    private var scanner = EventStreamScanner()
    private var closeCode: UInt16?

    private init(path: String, lastEventID: String?, onEvent: @escaping (Event) -> Void) {
        let id = lastEventID.map { "Last-Event-ID: \($0)\r\n" } ?? ""
        request = "GET \(path) HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n\(id)\r\n"
        self.onEvent = onEvent
    }

    /// Connects and sends the request. `handler` makes, on the event loop, what events are handed to there.
    static func connect(
        port: Int, path: String, lastEventID: String?, on eventLoop: any EventLoop,
        handler: @escaping @Sendable () -> (Event) -> Void
    ) -> EventLoopFuture<any Channel> {
        ClientBootstrap(group: eventLoop)
            .connectTimeout(.seconds(10))
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        EventStreamClient(path: path, lastEventID: lastEventID, onEvent: handler()))
                }
            }
            .connect(host: "127.0.0.1", port: port)
    }

    func channelActive(context: ChannelHandlerContext) {
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: request)), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        do {
            if var head {
                let isWhole = try head.take(&bytes)
                self.head = isWhole ? nil : head
                guard isWhole else { return }
                guard head.status == 200 else {
                    closeCode = Self.closeCodes[head.status]
                    return context.close(promise: nil)
                }
            }
            scanner.append(bytes)
            while let item = try scanner.next() { take(item) }
        } catch {
            context.close(promise: nil)
        }
    }

    private func take(_ item: EventStreamScanner.Item) {
        switch item {
        case .event("message", let data, let id):
            onEvent(.message(data, id: id))
        case .event("close", let data, _):
            closeCode = (try? JSONDecoder().decode(Close.self, from: Data(data.readableBytesView)))?.code
        case .event:
            break
        case .retry(let milliseconds):
            onEvent(.retry(milliseconds))
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        onEvent(.closed(closeCode))
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}

/// The head of a response whose body ends with the connection.
struct HTTPStreamHead {
    private static let longest = 16 * 1024

    private(set) var status = 0
    private var received = ByteBuffer()

    /// Takes the head from the beginning of a response.
    /// - Returns: whether it is whole; what follows it then is left in `bytes`.
    /// - Throws: `HTTPResponseScanner.Malformed` where it is none, or the body is in chunks.
    mutating func take(_ bytes: inout ByteBuffer) throws -> Bool {
        received.writeBuffer(&bytes)
        let end = Array("\r\n\r\n".utf8)
        guard let range = received.readableBytesView.firstRange(of: end) else {
            guard received.readableBytes < Self.longest else { throw HTTPResponseScanner.Malformed() }
            return false
        }
        let length = range.upperBound - received.readerIndex
        let text = (received.readString(length: length) ?? "").lowercased()
        guard text.hasPrefix("http/1.1 "), let status = Int(text.dropFirst(9).prefix(3)),
            !text.contains("\r\ntransfer-encoding:")
        else { throw HTTPResponseScanner.Malformed() }
        self.status = status
        bytes = received
        return true
    }
}
