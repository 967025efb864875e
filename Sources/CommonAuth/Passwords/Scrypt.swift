import CLibCrypto

/// The scrypt key derivation function (RFC 7914), as libcrypto has it.
enum Scrypt {
    struct Failure: Error {}

    /// Derives `count` bytes. `n`, a power of two above 1, is the cost: it takes 128 · r · n bytes and time in
    /// proportion; `r` is the block size and `p` the parallelisation (section 2).
    static func derive(password: [UInt8], salt: [UInt8], n: UInt64, r: UInt64, p: UInt64, count: Int) throws -> [UInt8]
    {
        // OpenSSL refuses above 32 MiB unless told otherwise, which is less than cost 17 needs; see EVP_PBE_scrypt(3).
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
