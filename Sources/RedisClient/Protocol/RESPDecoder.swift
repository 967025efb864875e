import NIOCore

/// A frame received from the server: a reply, or a published message.
enum RESPFrame: Sendable, Hashable {
    case value(RESPValue)
    case message(RedisMessage)
}

/// Decodes bytes into frames, an array of them per read. Bytes that are not RESP2 are an error to the next handler, and
/// the rest is not read.
final class RESPDecoder: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = [RESPFrame]

    /// Whether `message` and `pmessage` are published messages, or elements of a list.
    enum Mode {
        case replies
        case subscriber
    }

    private let mode: Mode
    private let maximumReplyBytes: Int
    private var reader: RESPReader?

    init(mode: Mode, maximumReplyBytes: Int) {
        self.mode = mode
        self.maximumReplyBytes = maximumReplyBytes
        reader = RESPReader(maximumReplyBytes: maximumReplyBytes)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard let reader else { return }
        var frames: [RESPFrame] = []
        var failure: RedisError?
        do throws(RedisError) {
            try read(unwrapInboundIn(data), with: reader, into: &frames)
        } catch {
            failure = error
            self.reader = nil
        }
        if !frames.isEmpty {
            context.fireChannelRead(wrapInboundOut(frames))
        }
        if let failure {
            context.fireErrorCaught(failure)
        }
    }

    func handlerAdded(context: ChannelHandlerContext) {
        if reader == nil {
            context.fireErrorCaught(RedisError.overloaded)
        }
    }

    private func read(_ data: ByteBuffer, with reader: RESPReader, into frames: inout [RESPFrame]) throws(RedisError) {
        // Fed in pieces, so that hiredis' buffer, which it compacts after each reply, stays small.
        var rest = data
        while let piece = rest.readSlice(length: min(rest.readableBytes, 16_384)), piece.readableBytes > 0 {
            let fed = piece.withUnsafeReadableBytes { bytes in
                Result { () throws(RedisError) in try reader.feed(bytes) }
            }
            try fed.get()
            while let frame = try reader.next(convert) {
                frames.append(frame)
            }
        }
    }

    private func convert(_ reply: RESPReplyView) -> RESPFrame {
        guard mode == .subscriber, let message = RedisMessage(pushed: reply) else { return .value(reply.value) }
        return .message(message)
    }
}

extension RedisMessage {
    /// `["message", channel, payload]` or `["pmessage", pattern, channel, payload]`, else `nil`.
    fileprivate init?(pushed reply: RESPReplyView) {
        guard let kind = reply[0], kind.isBulkString else { return nil }
        let hasPattern: Bool
        switch (kind.bytes.count, reply.elements?.count) {
        case (7, 3) where kind.bytes.elementsEqual("message".utf8): hasPattern = false
        case (8, 4) where kind.bytes.elementsEqual("pmessage".utf8): hasPattern = true
        default: return nil
        }
        let offset = hasPattern ? 2 : 1
        guard let channel = reply[offset], channel.isBulkString,
            let payload = reply[offset + 1], payload.isBulkString
        else { return nil }
        self.init(channel: channel.text, pattern: hasPattern ? reply[1]?.text : nil, payload: payload.buffer)
    }
}

/// A published message (<https://redis.io/docs/latest/develop/interact/pubsub/>).
public struct RedisMessage: Sendable, Hashable {
    /// The channel it was published to.
    public let channel: String
    /// The pattern it was received through; `nil` if through the channel itself.
    public let pattern: String?
    /// The published bytes.
    public let payload: ByteBuffer

    /// Describes a message.
    public init(channel: String, pattern: String?, payload: ByteBuffer) {
        self.channel = channel
        self.pattern = pattern
        self.payload = payload
    }
}
