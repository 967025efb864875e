import NIOCore
import NIOPosix

/// The connections of a proxy and the mode they are in. Confined to the proxy's event loop.
final class ProxyCore {
    struct Refused: Error {}

    private let target: Int
    private let wire: FaultProxy.Wire
    private let eventLoop: any EventLoop
    let tally: ProxyTally
    private let tap: ((ByteBuffer) -> Void)?
    private(set) var mode = FaultProxy.Mode.pass
    /// Both ends of all connections, those of clients that have no other end yet included.
    private var streams: [ObjectIdentifier: ProxyStream] = [:]
    /// Clients that came while nothing got through.
    private var unlinked: [any Channel] = []

    init(
        target: Int, wire: FaultProxy.Wire, eventLoop: any EventLoop, tally: ProxyTally,
        tap: ((ByteBuffer) -> Void)? = nil
    ) {
        self.target = target
        self.wire = wire
        self.eventLoop = eventLoop
        self.tally = tally
        self.tap = tap
    }

    var holds: Bool { mode == .blackHole }

    /// Whether no connection is passed on.
    private var closes: Bool {
        switch mode {
        case .cut, .answer: true
        case .pass, .blackHole, .dropPushes, .dropPushesOn: false
        }
    }

    func set(_ mode: FaultProxy.Mode) {
        guard mode != self.mode else { return }
        self.mode = mode
        switch mode {
        case .cut, .answer:
            let cut = streams.values.count { $0.side == .client }
            tally.add { $0.cut += cut }
            for stream in Array(streams.values) { stream.close() }
            for channel in unlinked { channel.close(promise: nil) }
            unlinked = []
        case .blackHole:
            let held = streams.values.count { $0.side == .client }
            tally.add { $0.held += held }
        case .pass, .dropPushes, .dropPushesOn:
            for channel in unlinked { link(channel) }
            unlinked = []
            for stream in Array(streams.values) { stream.goOn() }
        }
    }

    /// Takes in a client, which reads nothing yet.
    /// - Throws: ``Refused`` while the link is cut, on which its channel is closed.
    func accept(_ channel: any Channel) throws {
        switch mode {
        case .cut:
            tally.add { $0.refused += 1 }
            throw Refused()
        case .answer(let text):
            tally.add { $0.answered += 1 }
            try channel.pipeline.syncOperations.addHandler(ProxyAnswer(text))
            channel.setOption(.autoRead, value: true).whenFailure { _ in channel.close(promise: nil) }
        case .blackHole:
            tally.add { $0.held += 1 }
            unlinked.append(channel)
        case .pass, .dropPushes, .dropPushesOn:
            tally.add { $0.accepted += 1 }
            link(channel)
        }
    }

    func remove(_ stream: ProxyStream) {
        streams[ObjectIdentifier(stream)] = nil
    }

    /// Whether a whole frame of Redis is passed on: a client's command always, a reply unless it is a push to be lost.
    func passes(_ frame: ByteBuffer, from side: ProxyStream.Side) -> Bool {
        guard side == .client else { return passes(reply: frame) }
        tap?(frame)
        return true
    }

    private func passes(reply: ByteBuffer) -> Bool {
        // No room's or user's name begins with `!`: such a channel is a server's own.
        guard let channel = RESPFrames.channel(ofPush: reply), !channel.contains(":!") else { return true }
        let isDropped =
            switch mode {
            case .dropPushes(let percent): Int.random(in: 0..<100) < percent
            case .dropPushesOn(let prefix): channel.hasPrefix(prefix)
            case .pass, .cut, .answer, .blackHole: false
            }
        tally.add { if isDropped { $0.pushesDropped += 1 } else { $0.pushesPassed += 1 } }
        return !isDropped
    }

    private func link(_ client: any Channel) {
        ClientBootstrap(group: eventLoop)
            .connectTimeout(.seconds(5))
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelOption(.autoRead, value: false)
            .connect(host: "127.0.0.1", port: target)
            .assumeIsolated()
            .whenComplete { result in
                switch result {
                case .success(let server): self.join(client, server)
                case .failure: client.close(promise: nil)
                }
            }
    }

    private func join(_ client: any Channel, _ server: any Channel) {
        // The link may have been cut while the connection was being made.
        guard client.isActive, !closes else {
            client.close(promise: nil)
            server.close(promise: nil)
            return
        }
        let fromClient = ProxyStream(.client, core: self, frames: tap == nil ? nil : RESPFrames())
        let fromServer = ProxyStream(.server, core: self, frames: wire == .redis ? RESPFrames() : nil)
        fromClient.partner = fromServer
        fromServer.partner = fromClient
        do {
            try client.pipeline.syncOperations.addHandler(fromClient)
            try server.pipeline.syncOperations.addHandler(fromServer)
        } catch {
            client.close(promise: nil)
            server.close(promise: nil)
            return
        }
        for (channel, stream) in [(client, fromClient), (server, fromServer)] {
            streams[ObjectIdentifier(stream)] = stream
            channel.setOption(.autoRead, value: true).whenFailure { _ in channel.close(promise: nil) }
        }
    }
}

/// Answers the first bytes of a client with a text, and drops what else it sends until it goes.
private final class ProxyAnswer: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let text: String
    private var hasAnswered = false

    init(_ text: String) { self.text = text }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !hasAnswered else { return }
        hasAnswered = true
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: text)), promise: nil)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}
