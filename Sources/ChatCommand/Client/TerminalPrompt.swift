import Foundation
import Synchronization

/// Asks on the terminal, whatever standard input and output are.
enum TerminalPrompt {
    private static let echoing = Mutex<termios?>(nil)
    private static let work = BlockingWork("terminal")

    /// Checks that there is a terminal, for who has much to do before the question.
    /// - Throws: ``CommandFailure`` where there is none.
    static func requireTerminal(advice: String) throws(CommandFailure) {
        close(try opened(advice))
    }

    private static func opened(_ advice: String) throws(CommandFailure) -> Int32 {
        let terminal = open("/dev/tty", O_RDWR | O_CLOEXEC)
        guard terminal >= 0 else { throw .usage("there is no terminal to ask; \(advice)") }
        return terminal
    }

    /// Reads a line.
    /// - Parameters:
    ///   - isHidden: whether what is typed is not shown.
    ///   - advice: for who has no terminal.
    /// - Returns: `nil` at the end of input.
    /// - Throws: ``CommandFailure`` where there is no terminal.
    static func ask(_ question: String, isHidden: Bool, advice: String) async throws -> String? {
        let terminal = try opened(advice)
        defer { close(terminal) }
        if isHidden { hide(terminal) }
        defer { if isHidden { show(terminal) } }
        write(terminal, question)
        let line = try await work.run { readLine(terminal) }
        if isHidden { write(terminal, "\n") }
        return line
    }

    /// Reads one line of a descriptor, at most 1 KiB.
    /// - Returns: `nil` at the end.
    static func readLine(_ descriptor: Int32) -> String? {
        var bytes: [UInt8] = []
        var byte: UInt8 = 0
        while bytes.count < 1024 {
            let count = read(descriptor, &byte, 1)
            if count < 0, errno == EINTR { continue }
            guard count == 1 else { return bytes.isEmpty ? nil : String(decoding: bytes, as: UTF8.self) }
            if byte == UInt8(ascii: "\n") { break }
            bytes.append(byte)
        }
        if bytes.last == UInt8(ascii: "\r") { bytes.removeLast() }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func hide(_ terminal: Int32) {
        var settings = termios()
        guard tcgetattr(terminal, &settings) == 0 else { return }
        echoing.withLock { $0 = settings }
        ExitSignals.install {
            guard var settings = echoing.withLock({ $0 }) else { return }
            let terminal = open("/dev/tty", O_RDWR | O_CLOEXEC)
            tcsetattr(terminal, TCSAFLUSH, &settings)
        }
        settings.c_lflag &= ~tcflag_t(ECHO)
        tcsetattr(terminal, TCSAFLUSH, &settings)
    }

    private static func show(_ terminal: Int32) {
        guard
            var settings = echoing.withLock({ settings in
                defer { settings = nil }
                return settings
            })
        else { return }
        tcsetattr(terminal, TCSAFLUSH, &settings)
    }

    private static func write(_ terminal: Int32, _ text: String) {
        let bytes = Array(text.utf8)
        _ = Foundation.write(terminal, bytes, bytes.count)
    }
}
