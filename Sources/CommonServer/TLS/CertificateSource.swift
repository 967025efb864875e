import CommonUtil
import NIOCore
import NIOSSL
import Synchronization

/// The certificate that new connections are served with. It can be replaced while the server runs; connections that are
/// open live on with the one they began with.
public final class CertificateSource: Sendable {
    private let files: CertificateFiles
    private let current: Mutex<NIOSSLContext>

    /// - Throws: `ConfigurationError` for files that cannot be used.
    init(_ files: CertificateFiles) throws(ConfigurationError) {
        self.files = files
        current = Mutex(try files.read())
    }

    var context: NIOSSLContext { current.withLock { $0 } }

    /// Reads the files again.
    /// - Throws: `ConfigurationError` for files that cannot be used; then all stays as it is.
    public func reload() throws(ConfigurationError) {
        let context = try files.read()
        current.withLock { $0 = context }
    }

    /// Puts TLS in front of all that a connection's pipeline will hold, which has to be empty.
    func encrypt(_ channel: any Channel) throws {
        let pipeline = channel.pipeline.syncOperations
        try pipeline.addHandler(NIOSSLServerHandler(context: context))
        try pipeline.addHandler(TLSHandshakeDeadline())
    }
}

extension ChannelPipeline.SynchronousOperations {
    /// Whether what is written here is not yet what goes over the wire.
    public var isEncrypted: Bool { (try? context(handlerType: NIOSSLServerHandler.self)) != nil }
}
