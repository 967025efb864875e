import NIOCore

/// One reply of the Redis serialization protocol, version 2
/// (<https://redis.io/docs/latest/develop/reference/protocol-spec/>).
public enum RESPValue: Sendable, Hashable {
    /// `+OK`
    case simpleString(String)
    /// `-ERR …`
    case error(String)
    /// `:1`
    case integer(Int64)
    /// `$5` and five bytes of any kind
    case bulkString(ByteBuffer)
    /// `*2` and two values
    case array([RESPValue])
    /// `$-1` or `*-1`
    case null
}

extension RESPValue {
    /// The text of a simple or bulk string; bytes that are not UTF-8 are replaced.
    public var string: String? {
        switch self {
        case .simpleString(let text): text
        case .bulkString(let bytes): String(buffer: bytes)
        default: nil
        }
    }

    /// The number of an integer reply.
    public var integer: Int64? {
        if case .integer(let number) = self { number } else { nil }
    }
}
