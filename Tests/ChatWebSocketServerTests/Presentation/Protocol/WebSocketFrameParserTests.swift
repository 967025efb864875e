import NIOCore
import Testing

@testable import ChatWebSocketServer

@Suite(.timeLimit(.minutes(2))) struct WebSocketFrameParserTests {
    private typealias Message = WebSocketFrameParser.Message

    /// All whole messages of these bytes, given in pieces of `step` bytes, and what ended the stream.
    private func parse(_ bytes: [UInt8], step: Int = .max) -> (messages: [Message], end: CloseCode?) {
        var parser = WebSocketFrameParser()
        var messages: [Message] = []
        do throws(CloseReason) {
            var rest = bytes[...]
            while !rest.isEmpty {
                parser.append(ByteBuffer(bytes: rest.prefix(step)))
                rest = rest.dropFirst(step)
                while let message = try parser.next() {
                    if message != .fragment { messages.append(message) }
                }
            }
        } catch {
            return (messages, error.code)
        }
        return (messages, nil)
    }

    private func expect(
        _ bytes: [UInt8], _ messages: [Message], _ end: CloseCode? = nil, step: Int = .max,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let result = parse(bytes, step: step)
        #expect(result.messages == messages, sourceLocation: sourceLocation)
        #expect(result.end == end, sourceLocation: sourceLocation)
    }

    private func message(_ text: String) -> Message { .text(ByteBuffer(string: text)) }

    // MARK: Whole messages

    @Test func `the example of RFC 6455 section 5_7`() {
        expect([0x81, 0x85, 0x37, 0xFA, 0x21, 0x3D, 0x7F, 0x9F, 0x4D, 0x51, 0x58], [message("Hello")])
    }

    @Test(arguments: [[0, 0, 0, 0], [0xFF, 0xFF, 0xFF, 0xFF], [1, 2, 3, 4]] as [[UInt8]])
    func `every mask is taken off`(mask: [UInt8]) {
        let payload = "Grüße, 世界! \u{1F600}"
        expect(ClientFrameBytes(payload: Array(payload.utf8), mask: mask).bytes, [message(payload)])
    }

    @Test(arguments: [0, 1, 3, 125, 126, 127, 65_535, 65_536])
    func `all lengths up to 64 KiB`(length: Int) {
        let payload = String(repeating: "x", count: length)
        expect(text(payload) + text("next"), [message(payload), message("next")])
    }

    @Test func `several messages of one read`() {
        expect(
            text("a") + ping("p") + ClientFrameBytes(opcode: 0xA, payload: [1]).bytes + text("b") + close(1000),
            [message("a"), .ping(ByteBuffer(string: "p")), .pong, message("b"), .close(code: 1000)])
    }

    @Test(arguments: [1, 2, 3, 7])
    func `bytes may come in any pieces`(step: Int) {
        let bytes =
            text("first") + text(String(repeating: "y", count: 300)) + text("a", isFinal: false) + ping("now")
            + continuation(Array("b".utf8), isFinal: false) + continuation([]) + text("")
            + close(4000, Array("bye".utf8))
        expect(
            bytes,
            [
                message("first"), message(String(repeating: "y", count: 300)), .ping(ByteBuffer(string: "now")),
                message("ab"), message(""), .close(code: 4000),
            ], step: step)
    }

    @Test func `half a frame returns nothing`() {
        let whole = text(String(repeating: "z", count: 200))
        for length in 0..<whole.count { expect(Array(whole.prefix(length)), []) }
    }

    // MARK: Fragments

    @Test func `fragments are joined, and control frames between them are returned at once`() {
        expect(
            text("Hel", isFinal: false) + ping("1") + continuation(Array("lo".utf8), isFinal: false) + ping("2")
                + continuation(Array("!".utf8)) + text("next"),
            [.ping(ByteBuffer(string: "1")), .ping(ByteBuffer(string: "2")), message("Hello!"), message("next")])
    }

    @Test func `every frame returns something, so that frames can be counted`() throws {
        var parser = WebSocketFrameParser()
        parser.append(
            ByteBuffer(
                bytes: text("a", isFinal: false) + continuation([], isFinal: false)
                    + ClientFrameBytes(opcode: 0xA).bytes + continuation([]) + ping()))
        var messages: [Message] = []
        while let message = try parser.next() { messages.append(message) }
        #expect(messages == [.fragment, .fragment, .pong, message("a"), .ping(ByteBuffer())])
    }

    @Test func `a character may be split between fragments`() {
        let bytes = Array("ä€😀".utf8)
        for cut in 0...bytes.count {
            expect(
                ClientFrameBytes(payload: Array(bytes[..<cut]), isFinal: false).bytes
                    + continuation(Array(bytes[cut...])),
                [message("ä€😀")])
        }
    }

    @Test func `empty fragments are fragments`() {
        expect(text("", isFinal: false) + continuation([], isFinal: false) + continuation([]), [message("")])
    }

    @Test func `a message may come in as many fragments as it has bytes`() {
        let count = WebSocketFrameParser.maximumSize
        var bytes = text("x", isFinal: false)
        for _ in 2..<count { bytes += continuation([0x78], isFinal: false) }
        bytes += continuation([0x78])
        expect(bytes, [message(String(repeating: "x", count: count))])
    }

    @Test func `a message within a message, or a continuation of none, ends the stream`() {
        expect(text("a", isFinal: false) + text("b"), [], .protocolError)
        expect(continuation([0x61]), [], .protocolError)
        expect(text("a") + continuation([0x61]), [message("a")], .protocolError)
        expect(text("a", isFinal: false) + continuation([]) + continuation([]), [message("a")], .protocolError)
    }

    // MARK: Size

    @Test func `more than 64 KiB ends the stream, before the payload has come`() {
        expect(text(String(repeating: "x", count: 65_537)), [], .messageTooBig)
        let header = ClientFrameBytes(form: .sixtyFourBits, claimedLength: 65_537).bytes
        expect(header, [], .messageTooBig)
        expect(Array(header.prefix(10)), [], .messageTooBig)
    }

    @Test func `fragments count together`() {
        let half = String(repeating: "x", count: 32_768)
        expect(text(half, isFinal: false) + continuation(Array(half.utf8)), [message(half + half)])
        expect(text(half, isFinal: false) + continuation(Array(half.utf8) + [0x78]), [], .messageTooBig)
        expect(
            text(half, isFinal: false) + continuation(Array(half.utf8), isFinal: false) + continuation([0x78]), [],
            .messageTooBig)
    }

    @Test(arguments: [UInt64(Int64.max), UInt64(Int64.max) - 1, 1 << 32, 1 << 62])
    func `a huge length is too big, also of a later fragment`(length: UInt64) {
        let huge = ClientFrameBytes(form: .sixtyFourBits, claimedLength: length)
        expect(huge.bytes, [], .messageTooBig)
        var later = huge
        later.opcode = 0x0
        expect(text("x", isFinal: false) + later.bytes, [], .messageTooBig)
    }

    @Test(arguments: [UInt64(1) << 63, .max])
    func `the most significant bit of a length is 0`(length: UInt64) {
        expect(ClientFrameBytes(form: .sixtyFourBits, claimedLength: length).bytes, [], .protocolError)
    }

    @Test func `a length is written the short way`() {
        for length in [0, 1, 125] {
            let payload = [UInt8](repeating: 0x61, count: length)
            expect(ClientFrameBytes(payload: payload, form: .sixteenBits).bytes, [], .protocolError)
        }
        for length in [0, 125, 126, 65_535] {
            let payload = [UInt8](repeating: 0x61, count: length)
            expect(ClientFrameBytes(payload: payload, form: .sixtyFourBits).bytes, [], .protocolError)
        }
    }

    // MARK: Header

    @Test func `a frame without mask ends the stream`() {
        expect(ClientFrameBytes(payload: [0x61], mask: nil).bytes, [], .protocolError)
        expect(ClientFrameBytes(opcode: 0x9, mask: nil).bytes, [], .protocolError)
    }

    @Test(arguments: [0x10, 0x20, 0x40, 0x70] as [UInt8])
    func `a reserved bit ends the stream`(bit: UInt8) {
        expect(ClientFrameBytes(payload: [0x61], reserved: bit).bytes, [], .protocolError)
        expect(ClientFrameBytes(opcode: 0x9, reserved: bit).bytes, [], .protocolError)
    }

    @Test(arguments: [0x3, 0x4, 0x5, 0x6, 0x7, 0xB, 0xC, 0xD, 0xE, 0xF] as [UInt8])
    func `an unknown opcode ends the stream`(opcode: UInt8) {
        expect(ClientFrameBytes(opcode: opcode).bytes, [], .protocolError)
    }

    @Test func `binary messages are refused`() {
        expect(ClientFrameBytes(opcode: 0x2, payload: [1]).bytes, [], .unsupportedData)
        expect(ClientFrameBytes(opcode: 0x2, isFinal: false).bytes, [], .unsupportedData)
    }

    // MARK: Control frames

    @Test(arguments: [0x8, 0x9, 0xA] as [UInt8])
    func `control frames are whole and short`(opcode: UInt8) {
        expect(ClientFrameBytes(opcode: opcode, isFinal: false).bytes, [], .protocolError)
        let payload = [UInt8](repeating: 0x61, count: 126)
        expect(ClientFrameBytes(opcode: opcode, payload: payload).bytes, [], .protocolError)
        expect(ClientFrameBytes(opcode: opcode, payload: [], form: .sixtyFourBits).bytes, [], .protocolError)
    }

    @Test func `a ping of 125 bytes is returned with its payload`() {
        let payload = String(repeating: "p", count: 125)
        expect(ping(payload) + ping(), [.ping(ByteBuffer(string: payload)), .ping(ByteBuffer())])
    }

    @Test func `a close may have a code, and a reason with it`() {
        expect(close(nil), [.close(code: nil)])
        expect(close(1001), [.close(code: 1001)])
        expect(close(4999, Array("Grüße".utf8)), [.close(code: 4999)])
        expect(close(1000, Array(repeating: 0x61, count: 123)), [.close(code: 1000)])
        expect(text("a", isFinal: false) + close(1000), [.close(code: 1000)])
    }

    @Test(arguments: [0, 999, 1004, 1005, 1006, 1015, 2999, 5000] as [UInt16])
    func `an invalid close code ends the stream`(code: UInt16) {
        expect(close(code), [], .protocolError)
    }

    @Test func `half a code, or a reason that is no text, ends the stream`() {
        expect(close(nil, [0x03]), [], .protocolError)
        expect(close(1000, [0xFF]), [], .invalidData)
    }

    // MARK: Text

    @Test(
        arguments: [
            [0xFF], [0xC3], [0xC3, 0x28], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80],
            [0xF0, 0x9F, 0x98],
        ] as [[UInt8]])
    func `text that is no UTF-8 ends the stream`(bytes: [UInt8]) {
        expect(ClientFrameBytes(payload: bytes).bytes, [], .invalidData)
        expect(text("a", isFinal: false) + continuation(bytes), [], .invalidData)
        expect(text("ok") + ClientFrameBytes(payload: bytes).bytes, [message("ok")], .invalidData)
    }

    // MARK: Anything

    @Test(arguments: 0..<50 as Range<UInt64>)
    func `no bytes trap or stall the parser`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<200 {
            var bytes = (0..<Int.random(in: 1...4, using: &random)).flatMap { _ in
                ClientFrameBytes(
                    opcode: [0, 1, 1, 9, 8].randomElement(using: &random) ?? 1,
                    payload: (0..<Int.random(in: 0...130, using: &random)).map { _ in
                        .random(in: 0x20...0x7E, using: &random)
                    },
                    isFinal: .random(using: &random)
                ).bytes
            }
            for _ in 0..<Int.random(in: 0...3, using: &random) {
                bytes[Int.random(in: bytes.indices, using: &random)] = .random(in: 0...255, using: &random)
            }
            // However the stream is cut, the result is the same.
            let whole = parse(bytes)
            let pieces = parse(bytes, step: .random(in: 1...9, using: &random))
            #expect(whole.messages == pieces.messages)
            #expect(whole.end == pieces.end)
        }
    }
}
