import CommonUtil
import NIOSSL

/// The two files that a server's TLS is made of: `CHAT_TLS_CERTIFICATE_FILE` and `CHAT_TLS_KEY_FILE`.
public struct CertificateFiles: Sendable {
    private let certificate: String
    private let key: String

    /// - Returns: `nil` where neither is named.
    /// - Throws: where only one of them is.
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

    /// Reads the files: TLS 1.2 and 1.3, HTTP/1.1.
    /// - Throws: `ConfigurationError` naming the variable of the file that cannot be read or does not fit the other.
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
        // What is still wrong then is that the key is another certificate's.
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
