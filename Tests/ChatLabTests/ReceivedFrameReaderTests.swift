import NIOCore
import Testing

@testable import ChatLab

@Suite(.timeLimit(.minutes(2))) struct ReceivedFrameReaderTests {
    @Test(arguments: [0, 125, 126, 65_535, 65_536])
    func `the frame reader reads frames of all three lengths, whatever the pieces`(length: Int) throws {
        var whole = ByteBuffer()
        whole.writeInteger(UInt8(0x81))
        switch length {
        case ...125: whole.writeInteger(UInt8(length))
        case ...65_535: whole.writeMultipleIntegers(UInt8(126), UInt16(length))
        default: whole.writeMultipleIntegers(UInt8(127), UInt64(length))
        }
        whole.writeRepeatingByte(UInt8(ascii: "x"), count: length)
        var part = ByteBuffer(bytes: whole.readableBytesView.dropLast())
        #expect(try ReceivedFrameReader.next(in: &part) == nil)
        let frame = try #require(try ReceivedFrameReader.next(in: &whole))
        #expect(frame.opcode == ReceivedFrame.text)
        #expect(frame.payload.readableBytes == length)
        #expect(whole.readableBytes == 0)
    }

    @Test func `the frame reader refuses masked, fragmented and absurdly long frames`() {
        for bytes in [[0x81, 0x80, 0, 0, 0, 0], [0x01, 0x00], [0xC1, 0x00], [0x82, 127, 255, 0, 0, 0, 0, 0, 0, 0]] {
            #expect(throws: ReceivedFrameReader.Malformed.self) {
                var buffer = ByteBuffer(bytes: bytes.map { UInt8($0) })
                _ = try ReceivedFrameReader.next(in: &buffer)
            }
        }
    }

    @Test func `a client's frame is masked`() {
        let frame = ReceivedFrameReader.clientFrame(ReceivedFrame.pong, ByteBuffer(string: "hi"))
        #expect(Array(frame.readableBytesView) == [0x8A, 0x82, 0, 0, 0, 0] + Array("hi".utf8))
    }

    @Test func `a client's frame of more than 125 bytes has its length in two bytes, and a fragment no FIN`() {
        let frame = ReceivedFrameReader.clientFrame(
            ReceivedFrame.text, ByteBuffer(repeating: 1, count: 300), isFinal: false)
        #expect(Array(frame.readableBytesView.prefix(4)) == [0x01, 0xFE, 0x01, 0x2C])
        #expect(frame.readableBytes == 308)
    }
}
