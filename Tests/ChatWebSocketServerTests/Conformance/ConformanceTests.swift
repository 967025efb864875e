import ChatLocalStack
import ChatTestSupport
import NIOCore
import NIOEmbedded
import Testing

@testable import ChatWebSocketServer

@Suite(.timeLimit(.minutes(2))) struct ConformanceTests {
    @Test func `there are hundreds of cases with unique names`() {
        #expect(Set(ConformanceCases.all.map(\.name)).count == ConformanceCases.all.count)
        #expect(ConformanceCases.all.count > 500)
    }

    @Test(arguments: ConformanceCases.all)
    func `the echo handler passes every case`(_ testCase: ConformanceCase) throws {
        let channel = EmbeddedChannel(handler: EchoHandler(opening: ByteBuffer()))
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        // A peer that has sent a close frame may find the connection closed while it still writes.
        for piece in testCase.pieces where channel.isActive { try channel.writeInbound(ByteBuffer(bytes: piece)) }
        var output: [UInt8] = []
        while let bytes = try channel.readOutbound(as: ByteBuffer.self) { output += bytes.readableBytesView }
        if let fault = testCase.fault(of: output) { Issue.record("\(testCase.name): \(fault)") }
        _ = try channel.finish(acceptAlreadyClosed: true)
    }
}
