import Glibc
import Logging
import NIOCore
import NIOEmbedded
import Synchronization
import Testing

@testable import CommonServer

@Suite(.timeLimit(.minutes(2))) struct AcceptBackoffTests {
    private let channel = EmbeddedChannel()
    private let lines = LogLines()
    private let spares = SpareDescriptors(count: 4)

    init() throws {
        let lines = lines
        let logger = Logger(label: "test") { _ in LineHandler(lines: lines) }
        try channel.pipeline.syncOperations.addHandler(AcceptBackoff(spares: spares, logger: logger))
    }

    private final class LogLines: Sendable {
        private let lines = Mutex<[String]>([])
        var all: [String] { lines.withLock { $0 } }
        func append(_ line: String) { lines.withLock { $0.append(line) } }
    }

    private struct LineHandler: LogHandler {
        let lines: LogLines
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.info

        init(lines: LogLines) { self.lines = lines }

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) { lines.append(event.message.description) }
    }

    /// Whether the listening socket is asked for connections; `nil` where nobody has changed that.
    private var isAccepting: Bool? {
        channel.options.last { $0.option is ChannelOptions.Types.AutoReadOption }?.value as? Bool
    }

    private func fail(_ code: CInt) { channel.pipeline.fireErrorCaught(IOError(errnoCode: code, reason: "accept")) }

    @Test(arguments: [EMFILE, ENFILE, ENOBUFS, ENOMEM])
    func `a listener without descriptors stops accepting for a second`(code: CInt) throws {
        fail(code)
        fail(code)
        #expect(isAccepting == false)
        channel.embeddedEventLoop.advanceTime(by: .milliseconds(999))
        #expect(isAccepting == false)
        channel.embeddedEventLoop.advanceTime(by: .milliseconds(1))
        #expect(isAccepting == true)
        fail(code)
        #expect(isAccepting == false)
        try channel.throwIfErrorCaught()
    }

    @Test func `the process has its spare descriptors while nothing is accepted`() {
        #expect(spares.hold())
        #expect(!spares.isShort)
        fail(EMFILE)
        #expect(spares.isShort)
        channel.embeddedEventLoop.advanceTime(by: AcceptBackoff.pause)
        #expect(!spares.isShort)
    }

    @Test func `nothing is accepted until there are twice as many descriptors as are held back`() {
        // More than any process may have open.
        let spares = SpareDescriptors(count: Int.max / 4)
        #expect(!spares.hold())
        spares.release()
        #expect(!spares.hold())
        #expect(spares.isShort)
    }

    @Test func `it says so once a minute`() {
        for _ in 0..<10 {
            fail(EMFILE)
            channel.embeddedEventLoop.advanceTime(by: .seconds(1))
        }
        #expect(lines.all == ["No connection can be accepted"])
    }

    @Test func `other errors are another's`() {
        fail(ECONNABORTED)
        #expect(isAccepting == nil)
        #expect(throws: IOError.self) { try channel.throwIfErrorCaught() }
    }
}
