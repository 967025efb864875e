import NIOCore
import Testing

@testable import RedisClient

@Suite(.timeLimit(.minutes(2))) struct RESPEncoderTests {
    @Test func `counts bytes, not characters`() {
        var bytes = ByteBuffer()
        bytes.writeRedisCommand(["SET", "ключ", 12, .bytes(ByteBuffer(bytes: [0, 13, 10]))])
        #expect(
            String(buffer: bytes)
                == "*4\r\n$3\r\nSET\r\n$8\r\nключ\r\n$2\r\n12\r\n$3\r\n\u{0}\r\n\r\n")
    }

    @Test func `publish is the command it says`() {
        for payload in ["", "hi", String(repeating: "ключ", count: 257)] {
            var bytes: [UInt8] = []
            bytes.appendRedisPublish(Array(payload.utf8), to: "c")
            var expected = ByteBuffer()
            expected.writeRedisCommand(["PUBLISH", "c", .string(payload)])
            #expect(ByteBuffer(bytes: bytes) == expected)
        }
    }
}
