import Glibc
import Logging
import NIOCore

/// Lets a listening socket rest for a second where descriptors or memory are used up.
///
/// NIO's own back-off does not ask for another connection meanwhile, but leaves the socket registered for reading: it
/// stays readable, so the event loop turns without a pause.
final class AcceptRest: ChannelInboundHandler {
    typealias InboundIn = any Channel

    static let time = TimeAmount.seconds(1)

    private let warning: RateLimitedWarning
    private var isResting = false

    init(warning: RateLimitedWarning) { self.warning = warning }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard let error = error as? IOError, Self.isShortage(error.errnoCode) else {
            return context.fireErrorCaught(error)
        }
        guard !isResting else { return }
        isResting = true
        warning.log(
            "No connection can be accepted", metadata: ["reason": "\(String(cString: strerror(error.errnoCode)))"])
        let channel = context.channel
        set(channel, isAccepting: false)
        context.eventLoop.assumeIsolated().scheduleTask(in: Self.time) {
            self.isResting = false
            self.set(channel, isAccepting: true)
        }
    }

    private func set(_ channel: any Channel, isAccepting: Bool) {
        // Fails only where the channel is closed.
        try? channel.syncOptions?.setOption(.autoRead, value: isAccepting)
    }

    private static func isShortage(_ code: CInt) -> Bool { [EMFILE, ENFILE, ENOBUFS, ENOMEM].contains(code) }
}

@available(*, unavailable)
extension AcceptRest: Sendable {}
