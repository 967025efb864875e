import CommonUtil
import NIOCore
import NIOSSL
import NIOTLS
import Synchronization

/// The TLS certificate of a server. It can be replaced while the server runs; open connections keep the one that they
/// began with.
public final class CertificateSource: Sendable {
    private let files: CertificateFiles
    private let current: Mutex<NIOSSLContext>

    /// Reads the files.
    /// - Throws: `ConfigurationError` for files that cannot be used.
    init(_ files: CertificateFiles) throws(ConfigurationError) {
        self.files = files
        current = Mutex(try files.read())
    }

    /// The context of new connections.
    var context: NIOSSLContext { current.withLock { $0 } }

    /// Reads the files again.
    /// - Throws: `ConfigurationError` for files that cannot be used; then the certificate stays as it was.
    public func reload() throws(ConfigurationError) {
        let context = try files.read()
        current.withLock { $0 = context }
    }

    /// Adds the TLS handlers to the pipeline of a connection, which must be empty.
    func encrypt(_ channel: any Channel) throws {
        let pipeline = channel.pipeline.syncOperations
        try pipeline.addHandler(NIOSSLServerHandler(context: context))
        try pipeline.addHandler(TLSHandshakeTimeout())
    }
}

extension ChannelPipeline.SynchronousOperations {
    /// Whether the connection uses TLS: then writes are encrypted later, and a file cannot be sent as it is.
    public var isEncrypted: Bool { (try? context(handlerType: NIOSSLServerHandler.self)) != nil }
}

/// The files of a server's TLS: `CHAT_TLS_CERTIFICATE_FILE` and `CHAT_TLS_KEY_FILE`.
public struct CertificateFiles: Sendable {
    private let certificate: String
    private let key: String

    /// Reads the settings.
    /// - Returns: `nil` if neither is set.
    /// - Throws: `ConfigurationError` if only one of them is.
    init?(_ configuration: ConfigurationSource) throws(ConfigurationError) {
        let certificate = try configuration.value(Settings.tlsCertificateFile)
        let key = try configuration.value(Settings.tlsKeyFile)
        switch (certificate, key) {
        case (nil, nil): return nil
        case (let certificate?, let key?): self.init(certificate: certificate, key: key)
        case (_?, nil): throw Self.missing(Settings.tlsKeyFile, beside: Settings.tlsCertificateFile)
        case (nil, _?): throw Self.missing(Settings.tlsCertificateFile, beside: Settings.tlsKeyFile)
        }
    }

    init(certificate: String, key: String) {
        self.certificate = certificate
        self.key = key
    }

    /// Reads the files and makes a context for TLS 1.2 and 1.3 with HTTP/1.1.
    /// - Throws: `ConfigurationError` naming the variable of the file that cannot be read, or does not match the other.
    func read() throws(ConfigurationError) -> NIOSSLContext {
        guard let chain = try? NIOSSLCertificate.fromPEMFile(certificate), !chain.isEmpty else {
            throw Self.wrong(Settings.tlsCertificateFile, certificate)
        }
        guard let privateKey = try? NIOSSLPrivateKey(file: key, format: .pem) else {
            throw Self.wrong(Settings.tlsKeyFile, key)
        }
        var tls = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(privateKey))
        tls.minimumTLSVersion = .tlsv12
        tls.applicationProtocols = ["http/1.1"]
        // The remaining error is a key that does not match the certificate.
        guard let context = try? NIOSSLContext(configuration: tls) else { throw Self.wrong(Settings.tlsKeyFile, key) }
        return context
    }

    private static func wrong(_ setting: Setting<String?>, _ path: String) -> ConfigurationError {
        ConfigurationError(name: setting.name, held: path, isSecret: setting.isSecret, allowed: setting.allowed)
    }

    private static func missing(_ setting: Setting<String?>, beside other: Setting<String?>) -> ConfigurationError {
        ConfigurationError(
            name: setting.name, held: "", isSecret: setting.isSecret,
            allowed: "\(setting.allowed), since \(other.name) is set")
    }
}

/// Closes a connection whose TLS handshake takes longer than 10 s. Leaves the pipeline once it is complete.
final class TLSHandshakeTimeout: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer

    static let time = TimeAmount.seconds(10)

    private var timeout: Scheduled<Void>?

    func handlerAdded(context: ChannelHandlerContext) {
        let channel = context.channel
        // A `close` would send an alert and then wait for the peer's.
        timeout = context.eventLoop.scheduleTask(in: Self.time) { channel.abort() }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        context.fireUserInboundEventTriggered(event)
        if case TLSUserEvent.handshakeCompleted = event {
            context.pipeline.syncOperations.removeHandler(self, promise: nil)
        }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        timeout?.cancel()
        timeout = nil
    }
}
