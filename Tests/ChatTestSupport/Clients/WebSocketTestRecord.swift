import NIOCore

/// All that a ``WebSocketTestClient`` got.
struct WebSocketTestRecord: Sendable {
    var handshake: WebSocketTestClient.Handshake?
    private(set) var events: [JSON] = []
    /// The same, to the letter.
    private(set) var texts: [String] = []
    /// The events that have a `seq`.
    private(set) var log: [JSON] = []
    private(set) var highestSeq: Int64 = 0
    private(set) var pings = 0
    private(set) var pongs: [[UInt8]] = []
    private(set) var close: WebSocketTestClient.Close?
    var isDisconnected = false
    /// Frames that a server must not send.
    private(set) var faults: [String] = []

    mutating func take(_ frame: WebSocketTestFrame) {
        if frame.isMasked || frame.reserved != 0 || !frame.isFinal {
            faults.append("a frame that is masked, fragmented or has reserved bits set")
        }
        if close != nil { faults.append("a frame after the close frame") }
        switch WebSocketTestFrame.Opcode(rawValue: frame.opcode) {
        case .text: take(text: frame.payload)
        case .ping: pings += 1
        case .pong: pongs.append(frame.payload)
        case .close:
            let code = frame.payload.count < 2 ? nil : UInt16(frame.payload[0]) << 8 | UInt16(frame.payload[1])
            close = .init(code: code, reason: String(decoding: frame.payload.dropFirst(2), as: UTF8.self))
        case .binary, .continuation, nil: faults.append("a frame with opcode \(frame.opcode)")
        }
    }

    private mutating func take(text: [UInt8]) {
        texts.append(String(decoding: text, as: UTF8.self))
        guard let event = try? JSON(parsing: text) else {
            faults.append("a text frame that is not JSON: \(String(decoding: text, as: UTF8.self).prefix(100))")
            events.append(.null)
            return
        }
        events.append(event)
        // `ready` and `caught_up` have the `seq` of a place in the log, but are not events of it.
        guard let seq = event["seq"]?.int, !["ready", "caught_up"].contains(event["eventType"]?.string) else { return }
        log.append(event)
        highestSeq = max(highestSeq, seq)
    }
}

extension WebSocketTestRecord: CustomStringConvertible {
    var description: String {
        let closing = close.map { "closed with \($0.code.map(String.init) ?? "no code") '\($0.reason)'" } ?? "open"
        let last = events.suffix(3).map(\.text).joined(separator: " ").prefix(600)
        return "\(events.count) events, \(closing)\(isDisconnected ? ", disconnected" : ""), faults: \(faults), "
            + "last: \(last)"
    }
}

/// Reads the answer to the handshake, then frames.
final class WebSocketTestHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let inbox: Mailbox<WebSocketTestRecord>
    private let answersPings: Bool
    private var buffer = ByteBuffer()
    private var isUpgraded = false

    init(inbox: Mailbox<WebSocketTestRecord>, answersPings: Bool) {
        self.inbox = inbox
        self.answersPings = answersPings
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        buffer.writeBuffer(&bytes)
        if !isUpgraded {
            guard let handshake = readHandshake() else { return }
            isUpgraded = handshake.status == 101
            inbox.update { $0.handshake = handshake }
            guard isUpgraded else { return context.close(promise: nil) }
        }
        while let frame = WebSocketTestFrame.read(from: &buffer) {
            inbox.update { $0.take(frame) }
            answer(frame, context)
        }
        buffer.discardReadBytes()
    }

    private func answer(_ frame: WebSocketTestFrame, _ context: ChannelHandlerContext) {
        guard frame.opcode == WebSocketTestFrame.Opcode.ping.rawValue, answersPings else { return }
        let pong = WebSocketTestFrame(.pong, frame.payload)
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: pong.bytes)), promise: nil)
    }

    private func readHandshake() -> WebSocketTestClient.Handshake? {
        let view = buffer.readableBytesView
        guard let end = view.firstRange(of: Array("\r\n\r\n".utf8)) else { return nil }
        let lines = String(decoding: view[..<end.lowerBound], as: UTF8.self).split(separator: "\r\n")
        let headers = lines.dropFirst().compactMap { line -> (name: String, value: String)? in
            guard let colon = line.firstIndex(of: ":") else { return nil }
            let value = line[line.index(after: colon)...].drop { $0 == " " }
            return (String(line[..<colon]), String(value))
        }
        let length = headers.first { $0.name.lowercased() == "content-length" }.flatMap { Int($0.value) } ?? 0
        let headLength = view.distance(from: view.startIndex, to: end.upperBound)
        guard view.count >= headLength + length else { return nil }
        let status = lines.first?.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
        buffer.moveReaderIndex(forwardBy: headLength)
        return .init(status: status, headers: headers, body: buffer.readBytes(length: length) ?? [])
    }

    func channelInactive(context: ChannelHandlerContext) {
        inbox.update { $0.isDisconnected = true }
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}
