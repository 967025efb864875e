import Glibc
import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOEmbedded
import Testing

@testable import CommonServer

@Suite(.timeLimit(.minutes(2))) struct AcceptRestTests {
    private let channel = EmbeddedChannel()
    private let lines = NIOLockedValueBox<[String]>([])

    init() throws {
        let lines = lines
        let logger = Logger(label: "test") { _ in LineHandler(lines: lines) }
        try channel.pipeline.syncOperations.addHandler(AcceptRest(warning: RateLimitedWarning(logger)))
    }

    private struct LineHandler: LogHandler {
        let lines: NIOLockedValueBox<[String]>
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.info

        init(lines: NIOLockedValueBox<[String]>) { self.lines = lines }

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) { lines.withLockedValue { $0.append(event.message.description) } }
    }

    /// Whether the listening socket is asked for connections; `nil` where nobody has changed that.
    private var isAccepting: Bool? {
        channel.options.last { $0.option is ChannelOptions.Types.AutoReadOption }?.value as? Bool
    }

    private func fail(_ code: CInt) { channel.pipeline.fireErrorCaught(IOError(errnoCode: code, reason: "accept")) }

    @Test(arguments: [EMFILE, ENFILE, ENOBUFS, ENOMEM])
    func `a listener without descriptors rests for a second`(code: CInt) throws {
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

    @Test func `it says so once a minute`() {
        for _ in 0..<10 {
            fail(EMFILE)
            channel.embeddedEventLoop.advanceTime(by: .seconds(1))
        }
        #expect(lines.withLockedValue { $0 } == ["No connection can be accepted"])
    }

    @Test func `other errors are another's`() {
        fail(ECONNABORTED)
        #expect(isAccepting == nil)
        #expect(throws: IOError.self) { try channel.throwIfErrorCaught() }
    }
}
