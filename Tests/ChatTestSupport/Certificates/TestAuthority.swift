import CLibCrypto
import ChatLocalStack
import Foundation

/// A certificate authority of one test, trusted only where a test configures it. Its certificates are valid for a day; their
/// files are removed when the test process ends.
public final class TestAuthority {
    /// Where a certificate and its key lie, both PEM.
    public struct Files: Sendable {
        public let certificate: String
        public let key: String

        public init(certificate: String, key: String) {
            self.certificate = certificate
            self.key = key
        }

        /// Puts another pair in this one's place.
        public func replace(with other: Files) throws {
            for (path, new) in [(certificate, other.certificate), (key, other.key)] {
                try Data(contentsOf: URL(filePath: new)).write(to: URL(filePath: path), options: .atomic)
            }
        }
    }

    /// PEM file of the authority's own certificate.
    public var file: String { "\(folder)/ca.pem" }

    private let folder: String
    private let key: OpaquePointer
    private let certificate: OpaquePointer
    private var issued = 0

    /// Of a name of its own, as in the world: of two of one name the wrong one would be tried, and fail in another way.
    public init() throws {
        folder = try PrivateFolder.temporary(prefix: "chat-certificates")
        ExitSweep.removeAtExit(folder: folder)
        key = try LibCrypto.makeKey()
        certificate = try LibCrypto.makeCertificate(
            Unique.name("authority"), key: key, issuer: nil,
            extensions: [(NID_basic_constraints, "critical,CA:TRUE"), (NID_key_usage, "critical,keyCertSign")])
        try LibCrypto.pem { PEM_write_bio_X509($0, certificate) }.write(to: URL(filePath: file))
    }

    /// Makes a key, and a certificate for names and addresses.
    public func issue(for names: [String] = ["localhost", "127.0.0.1"]) throws -> Files {
        let key = try LibCrypto.makeKey()
        defer { EVP_PKEY_free(key) }
        let alternatives = names.map { name in
            name.allSatisfy { $0.isNumber || $0 == "." } ? "IP:\(name)" : "DNS:\(name)"
        }
        let certificate = try LibCrypto.makeCertificate(
            names.first ?? "", key: key, issuer: (self.certificate, self.key),
            extensions: [
                (NID_ext_key_usage, "serverAuth"), (NID_subject_alt_name, alternatives.joined(separator: ",")),
            ])
        defer { X509_free(certificate) }
        issued += 1
        let files = Files(certificate: "\(folder)/server-\(issued).pem", key: "\(folder)/server-\(issued)-key.pem")
        try LibCrypto.pem { PEM_write_bio_X509($0, certificate) }.write(to: URL(filePath: files.certificate))
        try LibCrypto.pem { PEM_write_bio_PrivateKey($0, key, nil, nil, 0, nil, nil) }
            .write(to: URL(filePath: files.key))
        // PostgreSQL wants it so.
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: files.key)
        return files
    }

    deinit {
        X509_free(certificate)
        EVP_PKEY_free(key)
    }
}
