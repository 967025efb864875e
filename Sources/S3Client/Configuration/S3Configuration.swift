import FoundationEssentials
import NIOCore

/// The bucket, the credentials and the limits of ``S3Client``.
public struct S3Configuration: Sendable {
    /// A name, an IPv4 address, or an IPv6 address in brackets.
    public let host: String
    /// `nil` for the scheme's own.
    public let port: Int?
    /// Whether the connection is encrypted.
    public let usesTLS: Bool
    public let bucket: String
    public let region: String
    let credentials: S3Credentials

    /// Bound on name lookup, TCP and TLS together.
    public var connectTimeout = TimeAmount.seconds(5)
    /// Bound on each pause within an exchange.
    public var idleTimeout = TimeAmount.seconds(30)
    /// Bound on one exchange, beside the time for the bytes that it sends.
    public var requestTimeout = Duration.seconds(30)
    /// The slowest sending that is waited for, in bytes a second.
    public var slowestUpload = 128 * 1_024
    /// How often something is tried.
    public var attempts = 4
    /// First delay before another attempt. It doubles with each failure; the actual delay is jittered.
    public var minimumBackoff = Duration.milliseconds(100)
    /// Longest delay before another attempt.
    public var maximumBackoff = Duration.seconds(2)
    /// Connections that are open at once; further requests wait for one. A reader that is slow keeps one.
    public var maximumConnections = 512
    /// From this size on a file is sent in parts.
    public var multipartThreshold = 16 << 20

    /// Reads `https://host[:port]/bucket?region=…`; http is for loopback addresses only. The region is `us-east-1` where
    /// there is none.
    ///
    /// - Parameters:
    ///   - accessKey: the id of the access key.
    ///   - secretKey: what signs the requests.
    ///   - sessionToken: of temporary credentials; empty for others.
    /// - Throws: ``S3Error/invalidConfiguration(_:)``, which names the part that is wrong.
    public init(url: String, accessKey: String, secretKey: String, sessionToken: String = "") throws(S3Error) {
        guard let parts = URLComponents(string: url) else { throw .invalidConfiguration("the URL cannot be read") }
        guard let host = parts.percentEncodedHost?.lowercased(), !host.isEmpty, !host.contains("%") else {
            throw .invalidConfiguration("the URL has no host")
        }
        switch parts.scheme?.lowercased() {
        case "https": usesTLS = true
        case "http" where Self.isLoopback(host): usesTLS = false
        case "http": throw .invalidConfiguration("http is for loopback addresses only")
        default: throw .invalidConfiguration("the URL's scheme must be https")
        }
        guard parts.user == nil, parts.password == nil, parts.fragment == nil else {
            throw .invalidConfiguration("the URL must not have a user, a password or a fragment")
        }
        if let port = parts.port, !(1...65_535).contains(port) {
            throw .invalidConfiguration("the URL's port must be 1 to 65535")
        }
        self.host = host
        port = parts.port
        bucket = try Self.bucket(path: parts.percentEncodedPath)
        region = try Self.region(parts.queryItems ?? [])
        credentials = try S3Credentials(accessKey: accessKey, secretKey: secretKey, sessionToken: sessionToken)
    }

    /// The host as it stands in the header field `Host`.
    var authority: String { port.map { $0 == (usesTLS ? 443 : 80) ? host : "\(host):\($0)" } ?? host }

    private static func isLoopback(_ host: String) -> Bool {
        if host == "localhost" || host == "[::1]" { return true }
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
    }

    /// The bucket of `/bucket` or `/bucket/`: 3–63 lower-case letters, digits, dots and hyphens.
    private static func bucket(path: String) throws(S3Error) -> String {
        var name = path.drop { $0 == "/" }
        if name.hasSuffix("/") { name.removeLast() }
        let isAllowed = name.utf8.allSatisfy {
            isLowercaseOrDigit($0) || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: ".")
        }
        guard (3...63).contains(name.utf8.count), isAllowed, name.utf8.first.map(isLowercaseOrDigit) ?? false else {
            throw .invalidConfiguration("the URL's path must be a bucket's name")
        }
        return String(name)
    }

    private static func region(_ items: [URLQueryItem]) throws(S3Error) -> String {
        guard let first = items.first else { return "us-east-1" }
        guard items.count == 1, first.name == "region", let region = first.value, (1...64).contains(region.utf8.count),
            region.utf8.allSatisfy({ isLowercaseOrDigit($0) || $0 == UInt8(ascii: "-") })
        else { throw .invalidConfiguration("the URL's query must be a region") }
        return region
    }

    private static func isLowercaseOrDigit(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"): true
        default: false
        }
    }
}

extension S3Configuration: CustomStringConvertible, CustomDebugStringConvertible {
    /// The URL, without the credentials.
    public var description: String { "\(usesTLS ? "https" : "http")://\(authority)/\(bucket)?region=\(region)" }

    public var debugDescription: String { description }
}

/// What requests are signed with. No log, interpolation or `dump` shows it.
struct S3Credentials: Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    let accessKey: String
    let secretKey: String
    /// `nil` if the credentials are no temporary ones.
    let sessionToken: String?

    /// - Throws: ``S3Error/invalidConfiguration(_:)`` where one cannot stand in a header field.
    init(accessKey: String, secretKey: String, sessionToken: String) throws(S3Error) {
        for (text, name) in [(accessKey, "access key"), (secretKey, "secret key")] where text.isEmpty {
            throw .invalidConfiguration("the \(name) is missing")
        }
        for text in [accessKey, secretKey, sessionToken] where !text.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) {
            throw .invalidConfiguration("the credentials must be visible ASCII characters")
        }
        self.accessKey = accessKey
        self.secretKey = secretKey
        self.sessionToken = sessionToken.isEmpty ? nil : sessionToken
    }

    var description: String { "***" }
    var debugDescription: String { "***" }
    var customMirror: Mirror { Mirror(self, children: [:]) }
}
