/// The failure of a request to a store. Never holds a key, a token or a part of a file.
public enum S3Error: Error, Sendable, Hashable {
    /// There is no object under this key.
    case notFound
    /// There is an object under this key already.
    case exists
    /// The store has no space left, or the bucket's quota is used up.
    case full
    /// The store does not do this: wrong keys, no such bucket, another region, a clock that differs.
    /// - Parameters:
    ///   - status: of the response.
    ///   - code: the store's own word, such as `AccessDenied`; empty where it gave none.
    case refused(status: Int, code: String)
    /// No valid answer, however often it was asked.
    case unavailable(String)
    /// The local file cannot be read.
    case unreadableFile
    /// The configuration cannot work. The text names the part, never a secret.
    case invalidConfiguration(String)
    /// The waiting task was cancelled. What it asked for may still happen.
    case cancelled
}

extension S3Error: CustomStringConvertible {
    /// The error for logs.
    public var description: String {
        switch self {
        case .notFound: "no such object"
        case .exists: "there is an object already"
        case .full: "no space is left"
        case .refused(let status, let code): code.isEmpty ? "refused with \(status)" : "refused with \(status) \(code)"
        case .unavailable(let reason): reason
        case .unreadableFile: "the local file cannot be read"
        case .invalidConfiguration(let part): "invalid configuration: \(part)"
        case .cancelled: "cancelled"
        }
    }
}
