import NIOCore
import Testing

@testable import ChatLocalStack

@Suite(.timeLimit(.minutes(2))) struct RESPFramesTests {
    private static let push = "*3\r\n$7\r\nmessage\r\n$11\r\nchat:room:a\r\n$4\r\n{\r\n}\r\n"
    private static let patternPush =
        "*4\r\n$8\r\npmessage\r\n$11\r\nchat:room:*\r\n$11\r\nchat:room:b\r\n$2\r\n{}\r\n"

    private func replies(of stream: String, inPieces size: Int) -> [String] {
        var frames = RESPFrames()
        var replies: [String] = []
        var rest = ByteBuffer(string: stream)
        while let piece = rest.readSlice(length: min(size, rest.readableBytes)), piece.readableBytes > 0 {
            frames.append(piece)
            while let reply = frames.next() { replies.append(String(buffer: reply)) }
        }
        return replies
    }

    @Test(arguments: [1, 2, 7, 1000])
    func `replies are found whole, however the bytes come`(size: Int) {
        let stream = [
            "+OK\r\n", ":12\r\n", "$-1\r\n", "*-1\r\n", "*0\r\n", Self.push, "$3\r\n\r\n!\r\n", Self.patternPush,
        ]
        #expect(replies(of: stream.joined(), inPieces: size) == stream)
    }

    @Test func `nested arrays are one reply`() {
        let stream = ["*2\r\n*2\r\n:1\r\n$1\r\na\r\n*1\r\n+b\r\n", "+PONG\r\n"]
        #expect(replies(of: stream.joined(), inPieces: 3) == stream)
    }

    @Test func `bytes that are no RESP are passed on as they come`() {
        #expect(replies(of: "HTTP/1.1 200 OK\r\n", inPieces: 1000) == ["HTTP/1.1 200 OK\r\n"])
    }

    @Test func `an incomplete reply stays, and can be taken at the end`() {
        var frames = RESPFrames()
        frames.append(ByteBuffer(string: "+OK\r\n$5\r\nhel"))
        #expect(frames.next() == ByteBuffer(string: "+OK\r\n"))
        #expect(frames.next() == nil)
        #expect(frames.takeRest() == ByteBuffer(string: "$5\r\nhel"))
        #expect(frames.takeRest() == nil)
    }

    @Test func `the channel of a push is found, and no other reply is taken for a push`() {
        func channel(_ text: String) -> String? { RESPFrames.channel(ofPush: ByteBuffer(string: text)) }
        #expect(channel(Self.push) == "chat:room:a")
        #expect(channel(Self.patternPush) == "chat:room:b")
        #expect(channel("*3\r\n$10\r\npsubscribe\r\n$11\r\nchat:room:*\r\n:1\r\n") == nil)
        #expect(channel("+OK\r\n") == nil)
        #expect(channel("*2\r\n$4\r\npong\r\n$0\r\n\r\n") == nil)
    }
}
