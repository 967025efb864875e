import Foundation
import NIOCore
import NIOPosix
import NIOSSL

/// A WebSocket client that records all it gets and can send anything, well-formed or not.
public final class WebSocketTestClient: Sendable {
    /// What a test waits for at most, unless it says otherwise: long, for a machine that is busy with other tests.
    public static let defaultTimeout = Duration.seconds(60)

    /// How a server closed.
    public struct Close: Sendable, Equatable {
        /// `nil` where the close frame had none.
        public let code: UInt16?
        public let reason: String
    }

    /// The answer to the handshake.
    public struct Handshake: Sendable {
        public let status: Int
        public let headers: [(name: String, value: String)]
        public let body: [UInt8]

        /// The first value of a header.
        public func header(_ name: String) -> String? {
            headers.first { $0.name.lowercased() == name.lowercased() }?.value
        }

        public var json: JSON { (try? JSON(parsing: body)) ?? .null }
    }

    /// A wait that was in vain, with what had come by then.
    public struct Failure: Error, CustomStringConvertible {
        public let description: String
    }

    let inbox: Mailbox<WebSocketTestRecord>
    private let channel: any Channel
    public let handshake: Handshake

    private init(channel: any Channel, inbox: Mailbox<WebSocketTestRecord>, handshake: Handshake) {
        self.channel = channel
        self.inbox = inbox
        self.handshake = handshake
    }

    /// Connects and sends the handshake; returns when it is answered, whatever the answer.
    ///
    /// `target` is path and query. With `answersPings` pings of the server get their pong. `receiveBuffer` is
    /// `SO_RCVBUF` in bytes; a small one lets the server notice soon that nobody reads. With `trusting`, the PEM file of an
    /// authority, it speaks TLS with `localhost`.
    public static func connect(
        port: Int, _ target: String, method: String = "GET", headers: [(String, String)] = [],
        answersPings: Bool = true, receiveBuffer: Int? = nil, trusting: String? = nil
    ) async throws -> WebSocketTestClient {
        let inbox = Mailbox(WebSocketTestRecord())
        let tls = try trusting.map { try NIOSSLContext(configuration: .trusting($0)) }
        var bootstrap = ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connectTimeout(.seconds(20))
        if let receiveBuffer {
            bootstrap = bootstrap.channelOption(.socketOption(.so_rcvbuf), value: .init(receiveBuffer))
        }
        let channel =
            try await bootstrap
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let tls {
                        try channel.pipeline.syncOperations.addHandler(
                            NIOSSLClientHandler(context: tls, serverHostname: "localhost"))
                    }
                    try channel.pipeline.syncOperations.addHandler(
                        WebSocketTestHandler(inbox: inbox, answersPings: answersPings))
                }
            }
            .connect(host: "127.0.0.1", port: port).get()
        let key = Data((0..<16).map { _ in UInt8.random(in: 0...255) }).base64EncodedString()
        let standard = [
            ("Host", "127.0.0.1:\(port)"), ("Upgrade", "websocket"), ("Connection", "Upgrade"),
            ("Sec-WebSocket-Version", "13"), ("Sec-WebSocket-Key", key),
        ]
        let replaced = Set(headers.map { $0.0.lowercased() })
        let all = standard.filter { !replaced.contains($0.0.lowercased()) } + headers
        let head = "\(method) \(target) HTTP/1.1\r\n" + all.map { "\($0): \($1)\r\n" }.joined() + "\r\n"
        try await channel.writeAndFlush(ByteBuffer(string: head))
        let answer: Handshake?? = try await inbox.wait(within: defaultTimeout) { record in
            record.handshake.map { .some($0) } ?? (record.isDisconnected ? .some(nil) : nil)
        }
        guard let handshake = answer ?? nil else {
            channel.close(promise: nil)
            throw Failure(description: "The handshake for \(target) was not answered: \(inbox.state)")
        }
        return WebSocketTestClient(channel: channel, inbox: inbox, handshake: handshake)
    }

    // MARK: Sending

    /// Sends a text frame.
    public func send(_ json: JSON) async throws { try await send(.text(json.text)) }

    public func send(_ frame: WebSocketTestFrame) async throws { try await send(bytes: frame.bytes) }

    /// Sends any bytes.
    public func send(bytes: [UInt8]) async throws { try await channel.writeAndFlush(ByteBuffer(bytes: bytes)) }

    /// Stops reading from the socket: the kernel's buffers fill, then the server's.
    public func stopReading() async throws { try await channel.setOption(.autoRead, value: false).get() }

    public func resumeReading() async throws { try await channel.setOption(.autoRead, value: true).get() }

    // MARK: Events

    /// All text frames so far, parsed; what is not JSON is `null`.
    public var events: [JSON] { inbox.state.events }

    /// The same frames, to the letter.
    public var texts: [String] { inbox.state.texts }

    /// Waits for the first `count` text frames.
    public func events(_ count: Int, within time: Duration = defaultTimeout) async throws -> [JSON] {
        try await wait(for: "\(count) events", within: time) { $0.events.count >= count ? $0.events : nil }
    }

    /// Waits for the first event that `isIt` accepts.
    @discardableResult
    public func event(
        _ what: String, within time: Duration = defaultTimeout, where isIt: @escaping @Sendable (JSON) -> Bool
    ) async throws -> JSON {
        try await wait(for: what, within: time) { $0.events.first(where: isIt) }
    }

    /// Waits for the first event of this `eventType`.
    @discardableResult
    public func event(type: String, within time: Duration = defaultTimeout) async throws -> JSON {
        try await event("an event '\(type)'", within: time) { $0["eventType"]?.string == type }
    }

    /// Waits for the event of this `seq`, then gives all that have one, in the order in which they came.
    @discardableResult
    public func log(upTo seq: Int64, within time: Duration = defaultTimeout) async throws -> [JSON] {
        try await wait(for: "seq \(seq)", within: time) { record in
            record.highestSeq >= seq ? record.log : nil
        }
    }

    /// Waits for a pong that carries these bytes.
    public func pong(_ payload: [UInt8], within time: Duration = defaultTimeout) async throws {
        try await wait(for: "a pong", within: time) { $0.pongs.contains(payload) ? true : nil }
    }

    /// Waits for a ping of the server.
    public func ping(within time: Duration = defaultTimeout) async throws {
        try await wait(for: "a ping", within: time) { $0.pings > 0 ? true : nil }
    }

    /// How many pings the server has sent.
    public var pings: Int { inbox.state.pings }

    /// What the server sent and must not send: masked or fragmented frames, text that is no JSON and the like.
    public var faults: [String] { inbox.state.faults }

    /// Waits until the socket was admitted or refused.
    /// - Returns: `nil` where it is `ready`, else how it was closed.
    public func refusal(within time: Duration = defaultTimeout) async throws -> Close? {
        try await wait(for: "ready, nor a close frame", within: time) { record in
            record.close.map { .some($0) }
                ?? (record.events.contains { $0["eventType"] == "ready" } ? .some(nil) : nil)
        }
    }

    // MARK: The end

    /// Waits for the server's close frame.
    public func closeFrame(within time: Duration = defaultTimeout) async throws -> Close {
        try await wait(for: "a close frame", within: time, \.close)
    }

    /// Waits until the connection is gone, after a close frame or without.
    public func disconnected(within time: Duration = defaultTimeout) async throws {
        try await wait(for: "the end of the connection", within: time) { $0.isDisconnected ? true : nil }
    }

    /// Says goodbye in good order and waits for the answer and the end of the connection.
    @discardableResult
    public func close(_ code: UInt16 = 1000) async throws -> Close {
        try await send(.close(code))
        let close = try await closeFrame()
        try await disconnected()
        return close
    }

    /// Ends the connection without a word.
    public func drop() { channel.close(promise: nil) }

    @discardableResult
    func wait<Found: Sendable>(
        for what: String, within time: Duration, _ find: @escaping @Sendable (WebSocketTestRecord) -> Found?
    ) async throws -> Found {
        // Nothing comes any more once the connection is gone.
        let found: Found?? = try await inbox.wait(within: time) { record in
            find(record).map { .some($0) } ?? (record.isDisconnected ? .some(nil) : nil)
        }
        if let found = found ?? nil { return found }
        throw Failure(description: "No \(what) within \(time): \(inbox.state)")
    }

    deinit { channel.close(promise: nil) }
}
