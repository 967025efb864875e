/// What is on the screen. Pure.
struct TalkView: Equatable, Sendable {
    enum Style: String, Equatable, Sendable {
        case plain = ""
        case dim = "\u{1B}[2m"
        case bold = "\u{1B}[1m"
        case reverse = "\u{1B}[7m"
    }

    struct Line: Equatable, Sendable {
        var text: String
        var style = Style.plain
    }

    /// As many as the terminal has, none wider than it.
    let lines: [Line]
    /// From 0.
    let cursorRow: Int
    let cursorColumn: Int

    init(_ state: TalkState) {
        let all = Self.lines(state)
        let end = max(all.count - state.scroll, 0)
        var shown = Array(all[max(end - state.rows, 0)..<end])
        shown.insert(contentsOf: repeatElement(Line(text: ""), count: max(state.rows - shown.count, 0)), at: 0)
        let prompt = state.width > 4 ? "> " : ""
        let (text, column) = state.editor.shown(width: max(state.width - prompt.count, 1))
        var lines = [Self.title(state)] + shown
        lines.append(Self.status(state))
        lines.append(Line(text: prompt + text))
        // A terminal of one or two lines has the input.
        self.lines = lines.suffix(state.height).map { line in
            Line(text: DisplayWidth.truncated(line.text, to: state.width), style: line.style)
        }
        cursorRow = self.lines.count - 1
        cursorColumn = min(prompt.count + column, max(state.width - 1, 0))
    }

    // MARK: Messages

    /// How many lines all messages take.
    static func lineCount(_ state: TalkState) -> Int { lines(state).count }

    /// How far to scroll so that a message is on the screen.
    static func scroll(toShow index: Int, _ state: TalkState) -> Int {
        let below = state.messages[(index + 1)...].reduce(0) { $0 + lines(of: $1, state).count }
        let own = lines(of: state.messages[index], state).count
        if below < state.scroll { return below }
        return max(state.scroll, below + min(own, state.rows) - state.rows)
    }

    private static func lines(_ state: TalkState) -> [Line] {
        let first = state.hasMore ? [Line(text: "  PgUp: older messages", style: .dim)] : []
        return first + state.messages.flatMap { lines(of: $0, state) }
    }

    private static func lines(of message: TalkMessage, _ state: TalkState) -> [Line] {
        var lines: [Line] = []
        if let replyTo = message.replyTo {
            let original = state.messages.first { $0.messageID == replyTo }
            let quote = original.map { "\(name($0.senderID, state)): \($0.text)" } ?? "message \(replyTo)"
            let text = "  ↪ " + TerminalText.clean(quote)
            lines.append(Line(text: DisplayWidth.truncated(text, to: state.width), style: .dim))
        }
        let mark: String
        let style: Style
        switch message.status {
        case .stored: (mark, style) = (message.isEdited ? " (edited)" : "", .plain)
        case .waiting: (mark, style) = (" …", .dim)
        case .refused(let code): (mark, style) = (" ✗ \(code)", .bold)
        }
        // Line feeds are lines; what else controls a terminal is replaced.
        let paragraphs = message.text.split(separator: "\n", omittingEmptySubsequences: false)
            .map { TerminalText.clean(String($0)) }
        let text =
            "\(message.time) \(name(message.senderID, state)): " + paragraphs.joined(separator: "\n")
            + TerminalText.clean(mark)
        let isSelected = message.key == state.selected
        lines += DisplayWidth.wrapped(text, to: state.width)
            .map { Line(text: $0, style: isSelected ? .reverse : style) }
        return lines
    }

    private static func name(_ userID: Int64, _ state: TalkState) -> String {
        state.names[userID] ?? UserNameCache.unnamed(userID)
    }

    // MARK: Title and status

    private static func title(_ state: TalkState) -> Line {
        let name = state.room?.name ?? state.roomID ?? "chat"
        var text = " " + TerminalText.clean(name) + " · " + state.connection
        let unread = state.rooms.filter { $0.unread > 0 && $0.id != state.roomID }
        if !unread.isEmpty {
            text +=
                "   "
                + unread.map { "\(TerminalText.clean($0.name)) (\($0.unread >= 1000 ? "999+" : String($0.unread)))" }
                .joined(separator: ", ")
        }
        text = DisplayWidth.truncated(text, to: state.width)
        let padding = String(repeating: " ", count: max(state.width - DisplayWidth.of(text), 0))
        return Line(text: text + padding, style: .reverse)
    }

    private static func status(_ state: TalkState) -> Line {
        if let notice = state.notice { return Line(text: TerminalText.clean(notice), style: .bold) }
        if let message = state.selectedMessage {
            if case .refused = message.status {
                return Line(text: "Ctrl-R: send again · Ctrl-X: give up · Esc: back", style: .dim)
            }
            return Line(text: "Enter: reply to \(name(message.senderID, state)) · Esc: back", style: .dim)
        }
        if !state.typing.isEmpty {
            let names = state.typing.map { name($0, state) }.joined(separator: ", ")
            return Line(text: "\(names) \(state.typing.count == 1 ? "is" : "are") typing …", style: .dim)
        }
        if state.scroll > 0 || !state.isAtEnd { return Line(text: "Esc: newest messages", style: .dim) }
        return Line(text: "PgUp: older · ↑: reply · Tab: unread room · Ctrl-N: next room · Ctrl-C: end", style: .dim)
    }
}
