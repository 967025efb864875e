import ChatStorage
import CommonUtil
import Crypto

/// Signs URLs of files. Whoever has such a URL may read the file. Pure.
///
/// A URL is the same for half an hour, so that browsers find the file in their caches, and good for 60 to 90 minutes.
struct FileURLSigner: Equatable, Sendable {
    /// The path of all files.
    static let path = "/api/v1/files"
    static let expiresField = "expires"
    static let signatureField = "signature"

    /// The result of ``check(_:expires:signature:at:)``.
    enum Verdict: Equatable {
        case good, expired, bad
    }

    private static let windowSeconds: Int64 = 1_800
    /// The age from which a secret signs: all servers know it by then.
    private static let settlingSeconds: Int64 = 300

    /// The newest first. All of them are good.
    let secrets: [FileSecret]

    /// The path of a file with its signature.
    func url(of fileID: FileID, at now: Timestamp) -> String {
        let window = now.seconds / Self.windowSeconds
        // By the window, and not by the moment, so that the URL is the same for all of it and on every server.
        let signing = secrets.first { $0.createdAt.seconds <= window * Self.windowSeconds - Self.settlingSeconds }
        guard let secret = signing ?? secrets.last else { return "\(Self.path)/\(fileID)" }
        let expires = (window + 3) * Self.windowSeconds
        let signature = Base64URL.encode(Self.code(fileID, expires, secret))
        return "\(Self.path)/\(fileID)?\(Self.expiresField)=\(expires)&\(Self.signatureField)=\(signature)"
    }

    /// Checks a signature, in constant time.
    /// - Parameters:
    ///   - expires: the parameter of the URL, as it came.
    ///   - signature: the parameter of the URL, as it came.
    func check(_ fileID: FileID, expires: String?, signature: String?, at now: Timestamp) -> Verdict {
        // One spelling only: what is signed is the number.
        guard let expires, let signature, let time = Int64(expires), String(time) == expires,
            let code = Base64URL.decode(signature)
        else { return .bad }
        let isSigned = secrets.contains { secret in
            HMAC<SHA256>.isValidAuthenticationCode(
                code, authenticating: Self.signed(fileID, time), using: SymmetricKey(data: secret.bytes))
        }
        guard isSigned else { return .bad }
        return now.seconds < time ? .good : .expired
    }

    private static func signed(_ fileID: FileID, _ expires: Int64) -> [UInt8] { Array("\(fileID).\(expires)".utf8) }

    private static func code(_ fileID: FileID, _ expires: Int64, _ secret: FileSecret) -> HMAC<SHA256>.MAC {
        HMAC<SHA256>.authenticationCode(for: signed(fileID, expires), using: SymmetricKey(data: secret.bytes))
    }
}
