import ChatLocalStack
import ChatTestSupport
import Foundation
import Synchronization
import Testing

@testable import ChatCommand

/// A terminal of 80 columns and 24 lines in which `chat talk` runs.
private final class TalkScreen: Sendable {
    private let master: Int32
    private let settings: termios
    private let slave: Int32
    private let ends: AsyncStream<Int32>
    private let written = Mutex("")
    private let reading = BlockingWork("screen")

    init(_ place: ChatProgramPlace, _ arguments: String..., token: String?) throws {
        var (master, slave) = (Int32(-1), Int32(-1))
        var size = winsize(ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0)
        try #require(openpty(&master, &slave, nil, nil, &size) == 0)
        var settings = termios()
        tcgetattr(slave, &settings)
        (self.master, self.slave, self.settings) = (master, slave, settings)
        _ = fcntl(master, F_SETFD, FD_CLOEXEC)
        let process = Process()
        process.executableURL = ChatProgram.executable
        process.arguments = arguments
        process.environment = ChatProgram.environment(
            system: place.stack.processes.systemServer.url, folder: place.folder, token: token)
        let terminal = FileHandle(fileDescriptor: slave)
        (process.standardInput, process.standardOutput) = (terminal, terminal)
        let (ends, ended) = AsyncStream.makeStream(of: Int32.self)
        process.terminationHandler = { ended.yield($0.terminationStatus) }
        self.ends = ends
        try process.run()
        processID.withLock { $0 = process.processIdentifier }
    }

    private let processID = Mutex<Int32>(0)

    deinit {
        close(master)
        close(slave)
    }

    func type(_ text: String) {
        let bytes = Array(text.utf8)
        _ = write(master, bytes, bytes.count)
    }

    func resize(width: UInt16, height: UInt16) {
        var size = winsize(ws_row: height, ws_col: width, ws_xpixel: 0, ws_ypixel: 0)
        _ = ioctl(master, UInt(TIOCSWINSZ), &size)
        // The terminal is not the process's controlling one, so nobody else sends this.
        send(signal: SIGWINCH)
    }

    func send(signal: Int32) { _ = processID.withLock { kill($0, signal) } }

    /// Waits until the program has written a text since this was called last.
    func wait(for text: String) async throws { try await wait(forAll: [text]) }

    /// Waits until it has written several texts, in any order.
    func wait(forAll texts: [String]) async throws {
        while true {
            let areThere = written.withLock { written in
                let ends = texts.compactMap { written.range(of: $0)?.upperBound }
                guard ends.count == texts.count, let end = ends.max() else { return false }
                written = String(written[end...])
                return true
            }
            if areThere { return }
            let new = try await reading.run { [master] in
                var bytes = [UInt8](repeating: 0, count: 65_536)
                let count = bytes.withUnsafeMutableBytes { read(master, $0.baseAddress, $0.count) }
                return String(decoding: bytes.prefix(max(count, 0)), as: UTF8.self)
            }
            try #require(!new.isEmpty)
            written.withLock { $0 += new }
        }
    }

    func end() async -> Int32 {
        for await end in ends { return end }
        return -1
    }

    /// Whether the terminal is set as it was at first.
    var isRestored: Bool {
        var now = termios()
        tcgetattr(slave, &now)
        return now.c_lflag == settings.c_lflag && now.c_iflag == settings.c_iflag && now.c_oflag == settings.c_oflag
    }
}

@Suite(.timeLimit(.minutes(2))) struct TalkTests {
    private static let restored = "\u{1B}[?1049l"

    @Test func `what is typed is posted, what others post is shown, and the terminal is as it was`() async throws {
        try await ChatProgramPlace.with { place in
            let other = try await place.stack.user()
            let room = try await place.stack.room(of: place.user, with: [other])
            try await place.stack.say("before", in: room, as: other)
            let screen = try TalkScreen(place, "talk", room, token: place.user.token)
            try await screen.wait(forAll: ["live", ": before"])
            try await place.stack.say("from another 한글", in: room, as: other)
            try await screen.wait(for: ": from another 한글")
            screen.type("hello 한글\r")
            try await screen.wait(for: ": hello 한글")
            // Replies to the message of the other.
            screen.type("\u{1B}[A\u{1B}[A")
            try await screen.wait(for: "reply to")
            screen.type("yes\r")
            try await screen.wait(for: "↪ ")
            // Without the mark of a post that is on its way.
            try await screen.wait(for: ": yes\u{1B}[0m")
            screen.resize(width: 40, height: 10)
            try await screen.wait(for: "\u{1B}[10;")
            screen.type("\u{3}")
            try await screen.wait(for: Self.restored)
            #expect(await screen.end() == 130)
            #expect(screen.isRestored)
            let log = try await place.stack.log(of: room, as: other)
            try #require(log.count == 4)
            #expect(log[3]["replyToMessageId"] == log[1]["messageId"])
        }
    }

    @Test(arguments: [SIGINT, SIGTERM, SIGHUP])
    func `a signal restores the terminal`(signal: Int32) async throws {
        try await ChatProgramPlace.with { place in
            let room = try await place.stack.room(of: place.user)
            let screen = try TalkScreen(place, "talk", room, token: place.user.token)
            try await screen.wait(for: "live")
            #expect(!screen.isRestored)
            screen.send(signal: signal)
            try await screen.wait(for: Self.restored)
            #expect(await screen.end() == 128 + signal)
            #expect(screen.isRestored)
        }
    }

    @Test func `a room that is not there ends it with 66, and the terminal is as it was`() async throws {
        try await ChatProgramPlace.with { place in
            let screen = try TalkScreen(place, "talk", "no-such-room", token: place.user.token)
            try await screen.wait(for: Self.restored)
            #expect(await screen.end() == 66)
            #expect(screen.isRestored)
        }
    }

    @Test func `what was sent while the message server was away is kept over kill -9 and sent once`() async throws {
        try await ChatProgramPlace.with { place in
            let room = try await place.stack.room(of: place.user)
            let messages = try place.stack.makeServer(.message)
            let addresses = ["CHAT_PUBLIC_MESSAGE_URL": ":\(messages.port)"]
            try await place.stack.withServer(.system, addresses) { system in
                let login = try place.chatWithoutToken(
                    "login", place.user.username, "--password-stdin", "--url", system.url)
                try login.write(place.user.password + "\n")
                #expect(await login.end() == .code(0))
                let first = try TalkScreen(place, "talk", room, "--url", system.url, token: nil)
                try await first.wait(for: "live")
                first.type("kept one\r")
                try await first.wait(for: ": kept one …")
                first.send(signal: SIGKILL)
                _ = await first.end()
                try await messages.start(timeout: .seconds(60))
                let second = try TalkScreen(place, "talk", room, "--url", system.url, token: nil)
                try await second.wait(for: ": kept one\u{1B}[0m")
                second.type("\u{4}")
                #expect(await second.end() == 0)
                try await messages.stop()
            }
            let log = try await place.stack.log(of: room, as: place.user)
            #expect(log.count == 1)
        }
    }

    @Test func `without a terminal it is an error of usage`() async throws {
        try await ChatProgramPlace.with { place in
            let talk = try place.chat("talk", "a")
            #expect(await talk.end() == .code(64))
        }
    }
}
