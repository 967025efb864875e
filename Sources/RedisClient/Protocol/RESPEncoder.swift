import NIOCore

/// Commands are RESP arrays of bulk strings.
extension ByteBuffer {
    mutating func writeRedisCommand(_ arguments: some Collection<RedisArgument>) {
        writeRESPHeader("*", arguments.count)
        for argument in arguments {
            switch argument {
            case .string(let text): writeRESPBulk(text)
            case .integer(let number): writeRESPBulk(String(number))
            case .bytes(let bytes): writeRESPBulk(bytes)
            }
        }
    }

    /// `verb name name …`
    mutating func writeRedisCommand(_ verb: String, _ names: some Collection<String>) {
        writeRESPHeader("*", names.count + 1)
        writeRESPBulk(verb)
        for name in names {
            writeRESPBulk(name)
        }
    }

    private mutating func writeRESPBulk(_ text: String) {
        writeRESPHeader("$", text.utf8.count)
        writeString(text)
        writeStaticString("\r\n")
    }

    private mutating func writeRESPBulk(_ bytes: ByteBuffer) {
        writeRESPHeader("$", bytes.readableBytes)
        writeImmutableBuffer(bytes)
        writeStaticString("\r\n")
    }

    private mutating func writeRESPHeader(_ kind: StaticString, _ count: Int) {
        writeStaticString(kind)
        writeString(String(count))
        writeStaticString("\r\n")
    }
}

/// As bytes, which several small pieces are appended to at a fraction of a buffer's cost.
extension [UInt8] {
    private static let publish = [UInt8]("*3\r\n$7\r\nPUBLISH\r\n".utf8)

    /// `PUBLISH channel payload`, without building an array of arguments.
    mutating func appendRedisPublish(_ payload: [UInt8], to channel: String) {
        append(contentsOf: Self.publish)
        var channel = channel
        channel.withUTF8 { appendRESPBulk($0) }
        payload.withUnsafeBufferPointer { appendRESPBulk($0) }
    }

    private mutating func appendRESPBulk(_ bytes: UnsafeBufferPointer<UInt8>) {
        append(UInt8(ascii: "$"))
        appendDecimal(bytes.count)
        appendLineEnd()
        append(contentsOf: bytes)
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
