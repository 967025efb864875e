import NIOCore
import NIOEmbedded
import NIOWebSocket
import Testing

@testable import ChatClient

/// The handling of a server's bytes, without a network.
@Suite(.timeLimit(.minutes(1))) struct WebSocketTests {
    private func channel() throws -> EmbeddedChannel {
        let channel = EmbeddedChannel()
        let decoder = WebSocketFrameDecoder(maxFrameSize: WebSocketMessages.maximumSize)
        try channel.pipeline.syncOperations.addHandlers([
            WebSocketFrameEncoder(), ByteToMessageHandler(decoder), WebSocketHandler(),
        ])
        return channel
    }

    /// The opcode and the payload of the next frame that was written.
    private func written(_ channel: EmbeddedChannel) throws -> (opcode: UInt8, payload: [UInt8])? {
        var bytes: [UInt8] = []
        while bytes.count < 2 || bytes.count < 6 + Int(bytes[1] & 0x7F) {
            guard let part = try channel.readOutbound(as: ByteBuffer.self) else { break }
            bytes += part.readableBytesView
        }
        guard bytes.count >= 6 else { return nil }
        #expect(bytes[1] & 0x80 != 0)
        let mask = bytes[2..<6]
        return (bytes[0] & 0x0F, bytes.dropFirst(6).enumerated().map { $1 ^ mask[2 + $0 % 4] })
    }

    private func events(_ channel: EmbeddedChannel) throws -> [WebSocketHandler.Event] {
        var events: [WebSocketHandler.Event] = []
        while let event = try channel.readInbound(as: WebSocketHandler.Event.self) { events.append(event) }
        return events
    }

    private func end(_ events: [WebSocketHandler.Event]) -> ConnectionEnd? {
        if case .end(let end)? = events.last { end } else { nil }
    }

    @Test(
        arguments: [
            ([0xC1, 0x00], 1002), ([0x81, 0x81, 0, 0, 0, 0, 0], 1002), ([0x83, 0x00], 1002), ([0x82, 0x00], 1003),
            ([0x80, 0x00], 1002), ([0x01, 0x00, 0x81, 0x00], 1002), ([0x09, 0x00], 1002),
            ([0x89, 0x7E, 0x00, 0x80], 1002),
            ([0x81, 0x7F, 0xFF, 0, 0, 0, 0, 0, 0, 5], 1009),
            ([0x81, 0x7F, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF], 1009),
            ([0x81, 0x7F, 0, 0, 0, 0, 1, 0, 0, 1], 1009),
            ([0x81, 0x01, 0xFF], 1007), ([0x81, 0x03, 0xED, 0xA0, 0x80], 1007), ([0x88, 0x01, 0x03], 1002),
            ([0x88, 0x02, 0x03, 0xED], 1002), ([0x88, 0x03, 0x03, 0xE8, 0xFF], 1007),
        ] as [([UInt8], UInt16)])
    func `a violation ends the connection with its code, in whatever pieces it comes`(
        _ bytes: [UInt8], _ code: UInt16
    ) throws {
        for size in [bytes.count, 1] {
            let channel = try channel()
            for start in stride(from: 0, to: bytes.count, by: size) {
                try channel.writeInbound(ByteBuffer(bytes: bytes[start..<start + size]))
            }
            guard case .closed(1002, _)? = end(try events(channel)) else {
                Issue.record("not closed")
                continue
            }
            let frame = try #require(try written(channel))
            #expect(frame.opcode == 8)
            #expect(frame.payload == [UInt8(code >> 8), UInt8(code & 0xFF)])
            // What still comes is not looked at, and nothing follows a close frame.
            try channel.writeInbound(ByteBuffer(bytes: [0x89, 0x00]))
            #expect(try events(channel).isEmpty)
            #expect(try written(channel) == nil)
            _ = try? channel.finish()
        }
    }

    @Test func `what comes in one read is handed on together, and pings are answered`() throws {
        let channel = try channel()
        var bytes = ByteBuffer()
        for frame: [UInt8] in [[0x81, 0x01, 0x61], [0x89, 0x01, 0x70], [0x01, 0x01, 0x62], [0x80, 0x01, 0x63]] {
            bytes.writeBytes(frame)
        }
        try channel.writeInbound(bytes)
        let events = try events(channel)
        guard case .inputs(let inputs)? = events.first, events.count == 1 else {
            Issue.record("not one event")
            return
        }
        #expect(inputs == [.frame("a", id: nil), .activity, .activity, .frame("bc", id: nil)])
        let frame = try #require(try written(channel))
        #expect(frame == (0x0A, [0x70]))
        _ = try channel.finish()
    }

    @Test func `a close frame is answered once, and what came before it counts`() throws {
        let channel = try channel()
        try channel.writeInbound(ByteBuffer(bytes: [0x81, 0x01, 0x61, 0x88, 0x04, 0x0F, 0xAC, 0x6F, 0x6B]))
        let events = try events(channel)
        #expect(events.count == 2)
        guard case .closed(4012, "ok")? = end(events) else {
            Issue.record("not closed")
            return
        }
        let frame = try #require(try written(channel))
        #expect(frame == (8, [0x0F, 0xAC]))
        try channel.writeOutbound(WebSocketFrame.close(1000))
        #expect(try written(channel) == nil)
        _ = try channel.finish()
    }

    @Test func `fragments that are too long together are refused`() throws {
        var messages = WebSocketMessages()
        let half = ByteBuffer(repeating: 0x61, count: WebSocketMessages.maximumSize / 2 + 1)
        let first = try messages.decode(WebSocketFrame(fin: false, opcode: .text, data: half))
        #expect(first == .fragment)
        let error = #expect(throws: WebSocketViolation.self) {
            try messages.decode(WebSocketFrame(fin: true, opcode: .continuation, data: half))
        }
        #expect(error?.code == 1009)
    }

    @Test func `a server that does not read gets no more pongs`() throws {
        let channel = try channel()
        channel.isWritable = false
        try channel.writeInbound(ByteBuffer(bytes: [0x89, 0x01, 0x70]))
        #expect(try events(channel).count == 1)
        #expect(try written(channel) == nil)
        _ = try channel.finish()
    }
}
