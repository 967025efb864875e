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

    /// `PUBLISH channel payload`, without building an array of arguments.
    mutating func writeRedisPublish(_ payload: ByteBuffer, to channel: String) {
        writeStaticString("*3\r\n$7\r\nPUBLISH\r\n")
        writeRESPBulk(channel)
        writeRESPBulk(payload)
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
