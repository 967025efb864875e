import Foundation
import NIOCore
import NIOPosix
import NIOSSL

/// A client of event streams that records all it gets, as `EventSource` would understand it.
public final class EventStreamTestClient: Sendable {
    public typealias Response = WebSocketTestClient.Handshake
    public typealias Event = EventStreamParser.Event

    struct Record: Sendable {
        var head: [UInt8] = []
        var response: Response?
        /// The body of a response that is no stream.
        var body: [UInt8] = []
        var parser = EventStreamParser()
        var isDisconnected = false
        /// When the first byte and each comment came.
        var commentTimes: [ContinuousClock.Instant] = []

        var isStream: Bool { response?.header("content-type") == "text/event-stream" }
    }

    let inbox: Mailbox<Record>
    private let channel: any Channel
    /// The head of the response, with its body if it is no stream.
    public let response: Response

    private init(channel: any Channel, inbox: Mailbox<Record>, response: Response) {
        self.channel = channel
        self.inbox = inbox
        self.response = response
    }

    /// Sends a request on a connection of its own and returns when the head of its response has come, or the whole response if
    /// it is no stream.
    ///
    /// - Parameters:
    ///   - target: path and query.
    ///   - unread: bytes that are sent behind the request.
    ///   - receiveBuffer: `SO_RCVBUF` in bytes; a small one lets the server notice soon that nobody reads.
    ///   - trusting: the PEM file of an authority, for TLS with `localhost`.
    public static func connect(
        port: Int, _ target: String, method: String = "GET", headers: [(String, String)] = [], unread: String = "",
        receiveBuffer: Int? = nil, trusting: String? = nil
    ) async throws -> EventStreamTestClient {
        let inbox = Mailbox(Record())
        let tls = try trusting.map { try NIOSSLContext(configuration: .trusting($0)) }
        var bootstrap = ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton).connectTimeout(.seconds(20))
        if let receiveBuffer {
            bootstrap = bootstrap.channelOption(.socketOption(.so_rcvbuf), value: .init(receiveBuffer))
        }
        let channel = try await bootstrap.channelInitializer { channel in
            channel.eventLoop.makeCompletedFuture {
                if let tls {
                    try channel.pipeline.syncOperations.addHandler(
                        NIOSSLClientHandler(context: tls, serverHostname: "localhost"))
                }
                try channel.pipeline.syncOperations.addHandler(EventStreamTestHandler(inbox))
            }
        }.connect(host: "127.0.0.1", port: port).get()
        let fields = [("Host", "127.0.0.1:\(port)"), ("Accept", "text/event-stream")] + headers
        let head = "\(method) \(target) HTTP/1.1\r\n" + fields.map { "\($0): \($1)\r\n" }.joined() + "\r\n"
        try await channel.writeAndFlush(ByteBuffer(string: head + unread))
        let response: Response?? = try await inbox.wait(within: WebSocketTestClient.defaultTimeout) { record in
            guard let response = record.response else { return record.isDisconnected ? .some(nil) : nil }
            let length = response.header("content-length").flatMap { Int($0) } ?? 0
            return record.isStream || method == "HEAD" || record.body.count >= length
                ? .some(Response(status: response.status, headers: response.headers, body: record.body)) : nil
        }
        guard let response = response ?? nil else {
            channel.close(promise: nil)
            throw WebSocketTestClient.Failure(description: "The request for \(target) was not answered: \(inbox.state)")
        }
        return EventStreamTestClient(channel: channel, inbox: inbox, response: response)
    }

    // MARK: What has come

    /// The events so far.
    public var events: [Event] { inbox.state.parser.events }

    /// The data of the events of type `message`, parsed.
    public var messages: [JSON] { Self.messages(inbox.state) }

    /// What `EventSource` would send when it connects again.
    public var lastEventID: String { inbox.state.parser.lastEventID }

    /// The reconnection times that the stream has set, in milliseconds.
    public var retries: [Int] { inbox.state.parser.retries }

    /// When the comments came.
    public var commentTimes: [ContinuousClock.Instant] { inbox.state.commentTimes }

    /// What the server must not send: unknown fields, events that are not JSON, text that is not UTF-8.
    public var faults: [String] {
        let parser = inbox.state.parser
        return parser.faults + parser.events.filter { (try? JSON(parsing: Array($0.data.utf8))) == nil }.map(\.data)
    }

    private static func messages(_ record: Record) -> [JSON] {
        record.parser.events.filter { $0.type == "message" }
            .map { (try? JSON(parsing: Array($0.data.utf8))) ?? .null }
    }

    // MARK: Waiting

    /// Waits for the first message with this `eventType`.
    @discardableResult
    public func event(type: String) async throws -> JSON {
        try await wait(for: "an event '\(type)'") { record in
            Self.messages(record).first { $0["eventType"]?.string == type }
        }
    }

    /// Waits for the first message that `isIt` accepts.
    @discardableResult
    public func event(_ what: String, where isIt: @escaping @Sendable (JSON) -> Bool) async throws -> JSON {
        try await wait(for: what) { Self.messages($0).first(where: isIt) }
    }

    /// Waits for the event of this `seq`, then gives all that have one, in the order in which they came.
    @discardableResult
    public func log(upTo seq: Int64) async throws -> [JSON] {
        try await wait(for: "seq \(seq)") { record in
            // From the end: a log can be long.
            guard record.parser.events.last(where: { Self.seq($0) != nil }).flatMap(Self.seq) ?? 0 >= seq else {
                return nil
            }
            return Self.messages(record).filter {
                $0["seq"] != nil && $0["eventType"] != "ready" && $0["eventType"] != "caught_up"
            }
        }
    }

    private static func seq(_ event: Event) -> Int64? {
        guard event.type == "message", let json = try? JSON(parsing: Array(event.data.utf8)),
            json["eventType"] != "ready", json["eventType"] != "caught_up"
        else { return nil }
        return json["seq"]?.int
    }

    /// Waits for a number of comments.
    public func comments(_ count: Int) async throws {
        try await wait(for: "\(count) comments") { $0.commentTimes.count >= count ? true : nil }
    }

    /// Waits for the event `close`.
    /// - Returns: its data.
    public func closeEvent() async throws -> JSON {
        try await wait(for: "an event of type close") { record in
            record.parser.events.first { $0.type == "close" }.flatMap { try? JSON(parsing: Array($0.data.utf8)) }
        }
    }

    /// The body of a response that is no stream, with all that came behind it.
    public var received: String { String(decoding: inbox.state.body, as: UTF8.self) }

    /// Waits for a text in ``received``.
    public func received(_ text: String) async throws {
        try await wait(for: text) { String(decoding: $0.body, as: UTF8.self).contains(text) ? true : nil }
    }

    /// Waits until the connection is gone.
    public func disconnected() async throws {
        try await wait(for: "the end of the connection") { $0.isDisconnected ? true : nil }
    }

    @discardableResult
    private func wait<Found: Sendable>(
        for what: String, _ find: @escaping @Sendable (Record) -> Found?
    ) async throws -> Found {
        // Nothing comes any more once the connection is gone.
        let found: Found?? = try await inbox.wait(within: WebSocketTestClient.defaultTimeout) { record in
            find(record).map { .some($0) } ?? (record.isDisconnected ? .some(nil) : nil)
        }
        if let found = found ?? nil { return found }
        throw WebSocketTestClient.Failure(description: "No \(what): \(inbox.state.parser.events.suffix(5))")
    }

    // MARK: Acting

    /// Sends any bytes.
    public func send(_ text: String) async throws { try await channel.writeAndFlush(ByteBuffer(string: text)) }

    /// Stops reading from the connection: the kernel's buffers fill, then the server's.
    public func stopReading() async throws { try await channel.setOption(.autoRead, value: false).get() }

    public func resumeReading() async throws { try await channel.setOption(.autoRead, value: true).get() }

    /// Ends the connection, as a page that closes its `EventSource`.
    public func drop() { channel.close(promise: nil) }

    deinit { channel.close(promise: nil) }
}

/// Separates the head of the response from its body.
private final class EventStreamTestHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let inbox: Mailbox<EventStreamTestClient.Record>

    init(_ inbox: Mailbox<EventStreamTestClient.Record>) { self.inbox = inbox }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = Array(unwrapInboundIn(data).readableBytesView)
        inbox.update { $0.append(bytes) }
    }

    func channelInactive(context: ChannelHandlerContext) { inbox.update { $0.isDisconnected = true } }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}

extension EventStreamTestClient.Record {
    mutating func append(_ bytes: [UInt8]) {
        guard response == nil else { return appendBody(bytes[...]) }
        head += bytes
        guard let end = head.firstRange(of: Array("\r\n\r\n".utf8)) else { return }
        let lines = String(decoding: head[..<end.lowerBound], as: UTF8.self).split(separator: "\r\n")
        let status = lines.first?.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
        let headers = lines.dropFirst().map { line in
            let parts = line.split(separator: ":", maxSplits: 1)
            return (
                name: String(parts[0]), value: parts.count == 2 ? parts[1].trimmingCharacters(in: .whitespaces) : ""
            )
        }
        response = .init(status: status, headers: headers, body: [])
        appendBody(head[end.upperBound...])
    }

    private mutating func appendBody(_ bytes: ArraySlice<UInt8>) {
        guard isStream else { return body += bytes }
        let comments = parser.comments.count
        parser.append(bytes)
        for _ in comments..<parser.comments.count { commentTimes.append(.now) }
    }
}
