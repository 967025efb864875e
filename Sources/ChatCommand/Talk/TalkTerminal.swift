import Foundation
import Synchronization

/// The terminal in raw mode with its second screen, as it was before when the program ends, however that is.
final class TalkTerminal: Sendable {
    private struct State {
        var settings: termios?
        var shown: TalkView?
    }

    private static let begin = "\u{1B}[?1049h\u{1B}[?2004h\u{1B}[2J"
    private static let end = "\u{1B}[0m\u{1B}[?2004l\u{1B}[?25h\u{1B}[?1049l"

    private let state = Mutex(State())
    private let drawing = BlockingWork("terminal")
    private let reading = BlockingWork("keys")

    /// - Throws: ``CommandFailure`` where standard input or output is no terminal.
    init() throws {
        guard isatty(STDIN_FILENO) == 1, isatty(STDOUT_FILENO) == 1 else {
            throw CommandFailure.usage("talk needs a terminal; for programs there are `chat tail` and `chat post`")
        }
        var settings = termios()
        guard tcgetattr(STDIN_FILENO, &settings) == 0 else {
            throw CommandFailure.unavailable("the terminal cannot be set: \(String(cString: strerror(errno)))")
        }
        let former = settings
        state.withLock { $0.settings = former }
        ExitSignals.install { [weak self] in self?.restore() }
        cfmakeraw(&settings)
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &settings)
        Self.write(Self.begin)
    }

    deinit { restore() }

    /// Puts everything back; a second time does nothing.
    func restore() {
        state.withLock { state in
            guard var settings = state.settings else { return }
            state.settings = nil
            Self.write(Self.end)
            tcsetattr(STDIN_FILENO, TCSAFLUSH, &settings)
        }
    }

    /// The size in columns and lines.
    static var size: (width: Int, height: Int) {
        var size = winsize()
        guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0, size.ws_row > 0 else {
            return (80, 24)
        }
        return (Int(size.ws_col), Int(size.ws_row))
    }

    /// Makes the next drawing a whole one.
    func forget() { state.withLock { $0.shown = nil } }

    /// Writes the lines that have changed.
    func draw(_ view: TalkView) async throws {
        try await drawing.run { [self] in
            state.withLock { state in
                guard state.settings != nil, state.shown != view else { return }
                Self.write(Self.change(from: state.shown?.lines ?? [], to: view))
                state.shown = view
            }
        }
    }

    /// What brings the screen from the lines that are shown to a view.
    static func change(from shown: [TalkView.Line], to view: TalkView) -> String {
        var text = "\u{1B}[?25l"
        if shown.count != view.lines.count { text += "\u{1B}[2J" }
        for (row, line) in view.lines.enumerated() where shown.count != view.lines.count || shown[row] != line {
            text += "\u{1B}[\(row + 1);1H\u{1B}[0m\u{1B}[2K" + line.style.rawValue + line.text + "\u{1B}[0m"
        }
        return text + "\u{1B}[\(view.cursorRow + 1);\(view.cursorColumn + 1)H\u{1B}[?25h"
    }

    /// The keys that come next; none at the end of the input.
    func keys(_ parser: KeyParser) async throws -> (keys: [Key], parser: KeyParser, isAtEnd: Bool) {
        try await reading.run {
            var parser = parser
            var bytes = [UInt8](repeating: 0, count: 4096)
            while true {
                if parser.isUndecided {
                    // A sequence comes as a whole, or its rest soon.
                    var state = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
                    if poll(&state, 1, 50) == 0 { return (parser.flush(), parser, false) }
                }
                let count = bytes.withUnsafeMutableBytes { read(STDIN_FILENO, $0.baseAddress, $0.count) }
                if count < 0, errno == EINTR || errno == EAGAIN { continue }
                guard count > 0 else { return ([], parser, true) }
                let keys = parser.add(Array(bytes.prefix(count)))
                if !keys.isEmpty { return (keys, parser, false) }
            }
        }
    }

    private static func write(_ text: String) {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Foundation.write(STDOUT_FILENO, $0.baseAddress, $0.count) }
            if count < 0, errno != EINTR, errno != EAGAIN { return }
            rest = rest.dropFirst(max(count, 0))
        }
    }
}
