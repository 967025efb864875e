import NIOCore
import NIOEmbedded
import Testing

@testable import RedisClient

@Suite(.timeLimit(.minutes(2))) struct RESPDecoderTests {
    private static let push =
        "*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$2\r\nhi\r\n*4\r\n$8\r\npmessage\r\n$2\r\nc*\r\n$2\r\ncd\r\n$0\r\n\r\n"

    private func channel(_ mode: RESPDecoder.Mode) throws -> EmbeddedChannel {
        let channel = EmbeddedChannel()
        try channel.pipeline.syncOperations.addHandler(RESPDecoder(mode: mode, maximumReplyBytes: 1 << 22))
        return channel
    }

    @Test func `a subscriber gets messages, and everything else as values`() throws {
        let channel = try channel(.subscriber)
        try channel.writeInbound(ByteBuffer(string: Self.push + "*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n"))
        let frames = try #require(try channel.readInbound(as: [RESPFrame].self))
        #expect(
            frames == [
                .message(RedisMessage(channel: "c", pattern: nil, payload: ByteBuffer(string: "hi"))),
                .message(RedisMessage(channel: "cd", pattern: "c*", payload: ByteBuffer())),
                .value(
                    .array([
                        .bulkString(ByteBuffer(string: "subscribe")), .bulkString(ByteBuffer(string: "c")), .integer(1),
                    ])),
            ])
    }

    @Test func `a message of a wrong shape is a value`() throws {
        let channel = try channel(.subscriber)
        try channel.writeInbound(ByteBuffer(string: "*3\r\n$7\r\nmessage\r\n:1\r\n$2\r\nhi\r\n*0\r\n*1\r\n:1\r\n"))
        let frames = try #require(try channel.readInbound(as: [RESPFrame].self))
        #expect(frames.count == 3)
        for case .message in frames { Issue.record("taken for a message") }
    }

    @Test func `elsewhere a list that looks like a message is a list`() throws {
        let channel = try channel(.replies)
        try channel.writeInbound(ByteBuffer(string: Self.push))
        let frames = try #require(try channel.readInbound(as: [RESPFrame].self))
        for case .message in frames { Issue.record("taken for a message") }
        #expect(frames.count == 2)
    }

    @Test func `what came before a violation is delivered, what comes after is not read`() throws {
        let channel = try channel(.replies)
        #expect(throws: RedisError.protocolViolation) {
            try channel.writeInbound(ByteBuffer(string: "+OK\r\n?\r\n"))
        }
        #expect(try channel.readInbound(as: [RESPFrame].self) == [.value(.simpleString("OK"))])
        try channel.writeInbound(ByteBuffer(string: "+OK\r\n"))
        #expect(try channel.readInbound(as: [RESPFrame].self) == nil)
    }

    @Test func `a large payload arrives whole`() throws {
        let channel = try channel(.replies)
        let payload = ByteBuffer(repeating: 0x0D, count: 1 << 20)
        var bytes = ByteBuffer(string: "$\(payload.readableBytes)\r\n")
        bytes.writeImmutableBuffer(payload)
        bytes.writeString("\r\n+OK\r\n")
        try channel.writeInbound(bytes)
        let frames = try channel.readInbound(as: [RESPFrame].self)
        #expect(frames == [.value(.bulkString(payload)), .value(.simpleString("OK"))])
    }
}
