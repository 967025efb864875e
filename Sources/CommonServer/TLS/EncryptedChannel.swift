import HummingbirdCore
import Logging
import NIOCore
import NIOSSL

/// A connection whose bytes go through TLS before they come to what it was without.
///
/// HummingbirdTLS has the same, with a certificate that is chosen once and for all.
struct EncryptedChannel<Base: ServerChildChannel>: ServerChildChannel {
    let base: Base
    let certificates: CertificateSource

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Base.Value> {
        channel.eventLoop.makeCompletedFuture {
            let pipeline = channel.pipeline.syncOperations
            try pipeline.addHandler(NIOSSLServerHandler(context: certificates.context))
            try pipeline.addHandler(HandshakeDeadline())
        }.flatMap { base.setup(channel: channel, logger: logger) }
    }

    func handle(value: Base.Value, logger: Logger) async { await base.handle(value: value, logger: logger) }
}

extension ChannelPipeline.SynchronousOperations {
    /// Whether what is written here is not yet what goes over the wire.
    public var isEncrypted: Bool { (try? context(handlerType: NIOSSLServerHandler.self)) != nil }
}
