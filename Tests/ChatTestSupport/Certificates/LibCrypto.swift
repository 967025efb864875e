import CLibCrypto
import Foundation

/// The few calls of libcrypto that a certificate takes (OpenSSL manual, `X509_new(3)`, `X509V3_EXT_conf_nid(3)`). No
/// `openssl` program is needed, which not every machine has.
enum LibCrypto {
    struct Failure: Error {
        let call: String
    }

    /// A P-256 key; the caller frees it.
    static func makeKey() throws -> OpaquePointer {
        let context = try require(EVP_PKEY_CTX_new_id(EVP_PKEY_EC, nil), "EVP_PKEY_CTX_new_id")
        defer { EVP_PKEY_CTX_free(context) }
        try require(EVP_PKEY_keygen_init(context) == 1, "EVP_PKEY_keygen_init")
        try require(
            EVP_PKEY_CTX_set_ec_paramgen_curve_nid(context, NID_X9_62_prime256v1) == 1, "EVP_PKEY_CTX_set_ec_paramgen")
        var key: OpaquePointer?
        try require(EVP_PKEY_keygen(context, &key) == 1, "EVP_PKEY_keygen")
        return try require(key, "EVP_PKEY_keygen")
    }

    /// A certificate of `key`, signed by its issuer or, without one, by itself; the caller frees it.
    static func makeCertificate(
        _ name: String, key: OpaquePointer, issuer: (certificate: OpaquePointer, key: OpaquePointer)?,
        extensions: [(Int32, String)]
    ) throws -> OpaquePointer {
        let certificate = try require(X509_new(), "X509_new")
        do {
            X509_set_version(certificate, Int(X509_VERSION_3))
            ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), .random(in: 1...UInt64(Int64.max)))
            X509_gmtime_adj(X509_getm_notBefore(certificate), -3_600)
            X509_gmtime_adj(X509_getm_notAfter(certificate), 86_400)
            let subject = X509_get_subject_name(certificate)
            try require(
                X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, name, -1, -1, 0) == 1, "X509_NAME_add_entry")
            X509_set_issuer_name(certificate, X509_get_subject_name(issuer?.certificate ?? certificate))
            X509_set_pubkey(certificate, key)
            var context = X509V3_CTX()
            X509V3_set_ctx(&context, issuer?.certificate ?? certificate, certificate, nil, nil, 0)
            for (kind, value) in extensions {
                let made = try require(X509V3_EXT_conf_nid(nil, &context, kind, value), "X509V3_EXT_conf_nid")
                defer { X509_EXTENSION_free(made) }
                try require(X509_add_ext(certificate, made, -1) == 1, "X509_add_ext")
            }
            try require(X509_sign(certificate, issuer?.key ?? key, EVP_sha256()) > 0, "X509_sign")
            return certificate
        } catch {
            X509_free(certificate)
            throw error
        }
    }

    /// What `write` writes.
    static func pem(_ write: (OpaquePointer) -> Int32) throws -> Data {
        let memory = try require(BIO_new(BIO_s_mem()), "BIO_new")
        defer { BIO_free(memory) }
        try require(write(memory) == 1, "PEM_write_bio")
        var bytes = [UInt8](repeating: 0, count: BIO_ctrl_pending(memory))
        try require(BIO_read(memory, &bytes, Int32(bytes.count)) == Int32(bytes.count), "BIO_read")
        return Data(bytes)
    }

    private static func require(_ isDone: Bool, _ call: String) throws {
        if !isDone { throw Failure(call: call) }
    }

    private static func require(_ made: OpaquePointer?, _ call: String) throws -> OpaquePointer {
        guard let made else { throw Failure(call: call) }
        return made
    }
}
