import ChatTestSupport
import NIOCore
import NIOEmbedded
import Testing

@testable import RedisClient

@Suite(.timeLimit(.minutes(2))) struct RESPFuzzTests {
    private func decode(_ pieces: [[UInt8]], _ mode: RESPDecoder.Mode) -> (frames: [RESPFrame], failed: Bool) {
        let channel = EmbeddedChannel(handler: RESPDecoder(mode: mode, maximumReplyBytes: 1 << 20))
        var frames: [RESPFrame] = []
        var failed = false
        for piece in pieces {
            do { try channel.writeInbound(ByteBuffer(bytes: piece)) } catch { failed = true }
            while let read = try? channel.readInbound(as: [RESPFrame].self) { frames += read }
        }
        _ = try? channel.finish()
        return (frames, failed)
    }

    @Test func `however a stream is cut, the replies are the same`() throws {
        var fuzzer = Fuzzer("resp")
        try fuzzer.run { input, random in
            let mode: RESPDecoder.Mode = Bool.random(using: &random) ? .subscriber : .replies
            let whole = decode([input], mode)
            let cut = decode(random.pieces(input), mode)
            return whole == cut ? nil : "\(whole) is not \(cut)"
        }
    }
}
