import NIOCore

/// Commands are RESP arrays of bulk strings.
extension ByteBuffer {
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

    /// `verb name name …`
    mutating func writeRedisCommand(_ verb: String, _ names: some Collection<String>) {
        var command: [UInt8] = []
        command.appendRESPHeader("*", names.count + 1)
        command.appendRESPBulk(verb.utf8)
        for name in names { command.appendRESPBulk(name.utf8) }
        writeBytes(command)
    }
}

/// As bytes, which several small pieces are appended to at a fraction of a buffer's cost.
extension [UInt8] {
    private static let publish = [UInt8]("*3\r\n$7\r\nPUBLISH\r\n".utf8)

    /// `PUBLISH channel payload`, without building an array of arguments.
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
