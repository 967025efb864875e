import CommonUtil
import HummingbirdCore
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

    /// The same connections, with TLS in front.
    func encrypting(_ connections: some ServerChildChannel) -> any ServerChildChannel {
        EncryptedChannel(base: connections, certificates: self)
    }
}
