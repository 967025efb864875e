import NIOCore

/// One end of a proxied connection: its partner sends what it receives. It reads no faster than the partner can send,
/// and not at all while nothing gets through.
final class ProxyStream: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    enum Side { case client, server }

    let side: Side
    var partner: ProxyStream?
    private let core: ProxyCore
    private var frames: RESPFrames?
    private var context: ChannelHandlerContext?
    private var wantsToRead = false
    /// Bytes that were read before the link was blocked; at most those of one read.
    private var held: [ByteBuffer] = []

    init(_ side: Side, core: ProxyCore, frames: RESPFrames?) {
        self.side = side
        self.core = core
        self.frames = frames
    }

    func close() {
        context?.close(promise: nil)
    }

    /// Passes on what was held, and reads again.
    func goOn() {
        let waiting = held
        held = []
        for bytes in waiting { pass(bytes) }
        if !waiting.isEmpty { partner?.flush() }
        readIfWanted()
    }

    private func readIfWanted() {
        guard wantsToRead, !core.holds, partner?.isWritable == true, let context else { return }
        wantsToRead = false
        context.read()
    }

    private func pass(_ bytes: ByteBuffer) {
        guard frames != nil else { return partner?.write(bytes) ?? () }
        frames?.append(bytes)
        while let frame = frames?.next() {
            if core.passes(frame, from: side) { partner?.write(frame) }
        }
    }

    // MARK: As the partner's outlet

    private var isWritable: Bool { context?.channel.isWritable ?? false }

    private func write(_ bytes: ByteBuffer) {
        context?.write(wrapOutboundOut(bytes), promise: nil)
    }

    private func flush() {
        context?.flush()
    }

    // MARK: ChannelHandler

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        core.remove(self)
        partner?.close()
        // The two hold each other.
        partner = nil
    }

    func read(context: ChannelHandlerContext) {
        wantsToRead = true
        readIfWanted()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        if core.holds { held.append(bytes) } else { pass(bytes) }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        partner?.flush()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { partner?.readIfWanted() }
    }

    func channelInactive(context: ChannelHandlerContext) {
        // Last bytes, such as PostgreSQL's error before it ends a session, are still sent.
        if !core.holds, let rest = frames?.takeRest() { partner?.write(rest) }
        partner?.flush()
        partner?.close()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}
