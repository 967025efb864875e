import CLibCrypto
import FoundationEssentials

/// A stored password hash: `$scrypt$ln=17,r=8,p=1$salt$hash`, a PHC string (base64 without padding).
struct PasswordHash: Equatable, Sendable {
    static let saltBytes = 16
    static let hashBytes = 32

    /// log2 of scrypt's N.
    let cost: Int
    let r: Int
    let p: Int
    let salt: [UInt8]
    let hash: [UInt8]

    init(cost: Int, r: Int, p: Int, salt: [UInt8], hash: [UInt8]) {
        self.cost = cost
        self.r = r
        self.p = p
        self.salt = salt
        self.hash = hash
    }

    /// Reads a PHC string.
    /// - Returns: `nil` for other schemes, and for parameters that need more than 2 GiB of memory.
    init?(text: String) {
        let parts = text.split(separator: "$", omittingEmptySubsequences: false)
        guard parts.count == 5, parts[0].isEmpty, parts[1] == "scrypt",
            let salt = Self.bytes(parts[3]), let hash = Self.bytes(parts[4]), (8...64).contains(salt.count),
            (16...64).contains(hash.count)
        else { return nil }
        let parameters = parts[2].split(separator: ",", omittingEmptySubsequences: false)
        guard parameters.count == 3,
            let cost = Self.number(parameters[0], "ln=", in: 1...20),
            let r = Self.number(parameters[1], "r=", in: 1...16),
            let p = Self.number(parameters[2], "p=", in: 1...16)
        else { return nil }
        self.init(cost: cost, r: r, p: p, salt: salt, hash: hash)
    }

    /// The PHC string.
    var text: String { "$scrypt$ln=\(cost),r=\(r),p=\(p)$\(Self.base64(salt))$\(Self.base64(hash))" }

    /// Hashes a password with these parameters. Takes a fraction of a second and 128 · r · 2^cost bytes of memory.
    static func derive(_ password: String, cost: Int, r: Int, p: Int, salt: [UInt8], count: Int) throws -> [UInt8] {
        try Scrypt.derive(
            password: Array(password.utf8), salt: salt, n: 1 << UInt64(cost), r: UInt64(r), p: UInt64(p), count: count)
    }

    // MARK: PHC string

    private static func number(_ text: Substring, _ name: String, in range: ClosedRange<Int>) -> Int? {
        guard text.hasPrefix(name), let number = Int(text.dropFirst(name.count)), range.contains(number) else {
            return nil
        }
        return number
    }

    private static func base64(_ bytes: [UInt8]) -> String {
        Data(bytes).base64EncodedString().replacing("=", with: "")
    }

    private static func bytes(_ text: Substring) -> [UInt8]? {
        let padding = String(repeating: "=", count: (4 - text.utf8.count % 4) % 4)
        return Data(base64Encoded: String(text) + padding).map(Array.init)
    }
}

/// The scrypt key derivation function (RFC 7914) of libcrypto.
enum Scrypt {
    struct Failure: Error {}

    /// Derives a key.
    /// - Parameters:
    ///   - n: the cost, a power of two above 1. Memory (128 · r · n bytes) and time are proportional to it.
    ///   - r: the block size (section 2).
    ///   - p: the parallelisation (section 2).
    ///   - count: the size of the key in bytes.
    static func derive(password: [UInt8], salt: [UInt8], n: UInt64, r: UInt64, p: UInt64, count: Int) throws -> [UInt8]
    {
        // OpenSSL's default limit is 32 MiB, less than cost 17 needs; see EVP_PBE_scrypt(3).
        let memory = 128 * r * (n + p + 2) + 1_024 * 1_024
        var key = [UInt8](repeating: 0, count: count)
        let isDone = password.withUnsafeBytes { password in
            let password = password.bindMemory(to: CChar.self)
            return EVP_PBE_scrypt(
                password.baseAddress, password.count, salt, salt.count, n, r, p, memory, &key, key.count)
        }
        guard isDone == 1 else {
            ERR_clear_error()
            throw Failure()
        }
        return key
    }
}

/// Comparison in constant time, whatever the position of a difference.
enum ConstantTime {
    /// Whether two arrays are equal. Arrays of different lengths are not compared.
    static func areEqual(_ a: [UInt8], _ b: [UInt8]) -> Bool {
        guard a.count == b.count else { return false }
        return zip(a, b).reduce(into: UInt8(0)) { $0 |= $1.0 ^ $1.1 } == 0
    }
}
