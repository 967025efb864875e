import NIOCore
import Testing

@testable import RedisClient

@Suite(.timeLimit(.minutes(2))) struct RESPReaderTests {
    static let reply = "*5\r\n$5\r\nhe\r\no\r\n:-42\r\n+OK\r\n-ERR no\r\n*2\r\n$-1\r\n$0\r\n\r\n"
    static let value = RESPValue.array([
        .bulkString(ByteBuffer(string: "he\r\no")), .integer(-42), .simpleString("OK"), .error("ERR no"),
        .array([.null, .bulkString(ByteBuffer())]),
    ])

    private func reader(maximumReplyBytes: Int = 1024) throws -> RESPReader {
        try #require(RESPReader(maximumReplyBytes: maximumReplyBytes))
    }

    private func feed(_ text: String, to reader: RESPReader) throws -> [RESPValue] {
        try Array(text.utf8).withUnsafeBytes { try reader.feed($0) }
        var values: [RESPValue] = []
        while let value = try reader.next({ $0.value }) {
            values.append(value)
        }
        return values
    }

    @Test func `reads every kind of reply`() throws {
        #expect(try feed(Self.reply + Self.reply, to: reader()) == [Self.value, Self.value])
    }

    @Test func `reads a reply that comes byte by byte`() throws {
        let reader = try reader()
        var values: [RESPValue] = []
        for character in Self.reply.unicodeScalars {
            #expect(values.isEmpty)
            values += try feed(String(character), to: reader)
        }
        #expect(values == [Self.value])
    }

    @Test func `an empty array is not null`() throws {
        #expect(try feed("*0\r\n*-1\r\n", to: reader()) == [.array([]), .null])
    }

    @Test(arguments: [
        "?what\r\n", ":12x\r\n", "*x\r\n", "$-2\r\n", "*2000000000\r\n", "*1048577\r\n", "%1\r\n+a\r\n+b\r\n",
        String(repeating: "*1\r\n", count: 10),
    ])
    func `refuses what is not RESP2 or beyond its bounds`(_ text: String) throws {
        let reader = try reader()
        #expect(throws: RedisError.protocolViolation) { try feed(text, to: reader) }
        #expect(throws: RedisError.protocolViolation) { try feed("+OK\r\n", to: reader) }
    }

    @Test func `bounds the bytes of one reply, also of an array whose elements are complete`() throws {
        let long = String(repeating: "x", count: 1024)
        #expect(throws: RedisError.protocolViolation) { try feed("$9999\r\n" + long, to: reader()) }
        #expect(throws: RedisError.protocolViolation) { try feed("*3\r\n+\(long)\r\n", to: reader()) }
        #expect(try feed("$1000\r\n\(long.prefix(1000))\r\n", to: reader()).count == 1)
    }

    @Test func `many small replies do not add up to the bound`() throws {
        let reader = try reader(maximumReplyBytes: 16)
        for _ in 0..<100 {
            #expect(try feed("+OK\r\n+OK\r\n$3\r\na", to: reader).count == 2)
            #expect(try feed("bc\r\n", to: reader).count == 1)
        }
    }
}
