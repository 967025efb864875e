import NIOCore

/// One argument of a command. Redis takes all of them as byte strings.
public enum RedisArgument: Sendable, Hashable {
    case string(String)
    case integer(Int)
    case bytes(ByteBuffer)
}

extension RedisArgument: ExpressibleByStringInterpolation {
    public init(stringLiteral value: String) {
        self = .string(value)
    }
}

extension RedisArgument: ExpressibleByIntegerLiteral {
    public init(integerLiteral value: Int) {
        self = .integer(value)
    }
}
