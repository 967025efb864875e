import NIOCore
import NIOHTTP1

/// One request to a bucket.
struct S3Request: Sendable {
    let method: HTTPMethod
    /// The object; `nil` for the bucket itself.
    var key: String?
    var query: [(String, String)] = []
    /// Names in lower case.
    var headers: [(String, String)] = []
    var body = S3Body.none

    /// Path style: the bucket is the first part of the path.
    func path(bucket: String) -> String {
        "/\(bucket)" + (key.map { "/" + URIEncoding.encode($0, keeping: "/") } ?? "")
    }
}

/// The body of a request. It can be sent several times.
enum S3Body: Sendable {
    case none
    case bytes([UInt8])
    case file(FilePart)

    /// In bytes.
    var count: Int {
        switch self {
        case .none: 0
        case .bytes(let bytes): bytes.count
        case .file(let part): part.range.count
        }
    }

    /// Its SHA-256 in hexadecimal digits. A file is read for it, and once more for sending: that is cheap beside the sending
    /// itself, needs no memory, and lets the store check every byte even where TLS ends before it.
    func hash() async throws(S3Error) -> String {
        switch self {
        case .none: Hex.sha256([])
        case .bytes(let bytes): Hex.sha256(bytes)
        case .file(let part): try await part.hash()
        }
    }
}

/// How a file is cut into parts.
enum UploadPlan {
    /// Parts have at least this size, but for the last: a store refuses less than 5 MiB.
    static let minimumPart = 8 << 20
    /// A store takes no more parts of one object.
    static let maximumParts = 10_000

    /// The parts of a file, in order.
    static func parts(size: Int) -> [Range<Int>] {
        let length = max(minimumPart, (size + maximumParts - 1) / maximumParts)
        return stride(from: 0, to: size, by: length).map { $0..<min($0 + length, size) }
    }
}
