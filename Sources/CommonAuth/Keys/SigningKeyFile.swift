import CommonUtil
import FoundationEssentials
import Glibc
import JWTKit

/// The file of the private key, and the public keys beside it.
struct SigningKeyFile {
    let path: String

    /// Creates a key where the file does not exist. If several processes do so at once, one succeeds and all read its key.
    /// - Throws: `ConfigurationError` if the file cannot be written.
    func createIfMissing() throws(ConfigurationError) {
        if !FileManager.default.fileExists(atPath: path) { try create() }
    }

    /// Whether the group or others can read the file.
    var isReadableByOthers: Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & (S_IRGRP | S_IROTH) != 0
    }

    /// Reads the key.
    /// - Throws: `ConfigurationError` if the file is not an Ed25519 private key, PKCS#8 PEM.
    func load() throws(ConfigurationError) -> (private: EdDSA.PrivateKey, public: VerificationKey) {
        guard let pem = try? String(contentsOfFile: path, encoding: .utf8) else {
            throw error("a file that this process can read")
        }
        guard let key = try? EdDSA.PrivateKey(pem: pem),
            let publicKey = try? VerificationKey(rawRepresentation: key.publicKey.rawRepresentation)
        else { throw error("an Ed25519 private key, PKCS#8 PEM") }
        return (key, publicKey)
    }

    /// Reads the public keys `*.pub.pem` in the same folder: those before or after a rotation.
    /// - Throws: `ConfigurationError` for a file that is not an Ed25519 public key, SPKI PEM.
    func furtherPublicKeys() throws(ConfigurationError) -> [VerificationKey] {
        let folder = self.folder
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        var keys: [VerificationKey] = []
        for name in names.sorted() where name.hasSuffix(".pub.pem") {
            let file = folder + "/" + name
            guard let pem = try? String(contentsOfFile: file, encoding: .utf8), let key = try? VerificationKey(pem: pem)
            else { throw error("a file with, beside it, '\(name)' an Ed25519 public key, SPKI PEM") }
            keys.append(key)
        }
        return keys
    }

    // MARK: Creation

    private var folder: String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    /// Writes the file under a temporary name and links it: link(2) fails where the name exists, so no reader sees an
    /// incomplete key and no key is replaced.
    private func create() throws(ConfigurationError) {
        let temporary = "\(path).\(UUID().uuidString).new"
        do {
            try FileManager.default.createDirectory(
                atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
            try write(EdDSA.PrivateKey().pemRepresentation + "\n", to: temporary)
        } catch {
            unlink(temporary)
            throw self.error("a file in a folder that this process can write to")
        }
        defer { unlink(temporary) }
        guard link(temporary, path) == 0 || errno == EEXIST else {
            throw error("a file in a folder that this process can write to")
        }
    }

    private func write(_ text: String, to path: String) throws {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw Errno() }
        defer { close(descriptor) }
        let bytes = Array(text.utf8)
        guard Glibc.write(descriptor, bytes, bytes.count) == bytes.count, fsync(descriptor) == 0 else { throw Errno() }
    }

    private struct Errno: Error {}

    private func error(_ allowed: String) -> ConfigurationError {
        ConfigurationError(
            name: Settings.signingKeyFile(dataDirectory: "").name, held: path, isSecret: false, allowed: allowed)
    }
}
