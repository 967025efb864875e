import NIOCore

/// Encodes commands, which are RESP arrays of bulk strings.
extension ByteBuffer {
    /// Writes a command.
    mutating func writeRedisCommand(_ arguments: some Collection<RedisArgument>) {
        var command: [UInt8] = []
        command.appendRESPHeader("*", arguments.count)
        for argument in arguments {
            switch argument {
            case .string(let text): command.appendRESPBulk(text.utf8)
            case .integer(let number): command.appendRESPBulk(String(number).utf8)
            case .bytes(let bytes): command.appendRESPBulk(bytes.readableBytesView)
            }
        }
        writeBytes(command)
    }

    /// Writes a command of a verb and names.
    mutating func writeRedisCommand(_ verb: String, _ names: some Collection<String>) {
        var command: [UInt8] = []
        command.appendRESPHeader("*", names.count + 1)
        command.appendRESPBulk(verb.utf8)
        for name in names { command.appendRESPBulk(name.utf8) }
        writeBytes(command)
    }
}

/// Encodes into an array, to which small pieces are appended at a fraction of the cost of a buffer.
extension [UInt8] {
    private static let publish = [UInt8]("*3\r\n$7\r\nPUBLISH\r\n".utf8)

    /// Appends `PUBLISH channel payload`, without building an array of arguments.
    mutating func appendRedisPublish(_ payload: [UInt8], to channel: String) {
        append(contentsOf: Self.publish)
        appendRESPBulk(channel.utf8)
        appendRESPBulk(payload)
    }

    fileprivate mutating func appendRESPBulk(_ bytes: some Collection<UInt8>) {
        appendRESPHeader("$", bytes.count)
        append(contentsOf: bytes)
        appendLineEnd()
    }

    fileprivate mutating func appendRESPHeader(_ kind: Unicode.Scalar, _ count: Int) {
        append(UInt8(ascii: kind))
        appendDecimal(count)
        appendLineEnd()
    }

    private mutating func appendDecimal(_ number: Int) {
        if number > 9 { appendDecimal(number / 10) }
        append(UInt8(ascii: "0") + UInt8(number % 10))
    }

    private mutating func appendLineEnd() {
        append(UInt8(ascii: "\r"))
        append(UInt8(ascii: "\n"))
    }
}

/// One argument of a command. Redis takes all of them as byte strings.
public enum RedisArgument: Sendable, Hashable {
    case string(String)
    case integer(Int)
    case bytes(ByteBuffer)
}

extension RedisArgument: ExpressibleByStringInterpolation {
    /// Makes an argument of a literal.
    public init(stringLiteral value: String) {
        self = .string(value)
    }
}

extension RedisArgument: ExpressibleByIntegerLiteral {
    /// Makes an argument of a literal.
    public init(integerLiteral value: Int) {
        self = .integer(value)
    }
}
