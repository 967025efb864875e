/// A message as it is shown.
struct TalkMessage: Equatable, Sendable {
    enum Status: Equatable, Sendable {
        case stored
        /// One's own, on its way.
        case waiting
        /// One's own; it will not be stored.
        case refused(code: String)
    }

    /// The same before and after it is stored.
    let key: String
    var messageID: Int64?
    var seq: Int64?
    var senderID: Int64
    /// As on a clock.
    var time: String
    var text: String
    var status = Status.stored
    var replyTo: Int64?
    var isEdited = false
}

/// A room of the list.
struct TalkRoom: Equatable, Sendable {
    let id: String
    var name: String
    var unread: Int64
}

/// What is to be done.
enum TalkAction: Equatable, Sendable {
    case send(String, replyTo: Int64?)
    case open(room: String)
    case loadOlder
    case toEnd
    case typing
    case markRead(seq: Int64)
    case retry(key: String)
    case discard(key: String)
    case redraw
    case end(code: Int32)
}

/// The state of the screen: what is known, and what the keys have done. Pure.
struct TalkState: Sendable {
    private static let typingPause: Int64 = 4000

    var width = 80
    var height = 24
    var connection = "offline"
    private(set) var rooms: [TalkRoom] = []
    private(set) var roomID: String?
    private(set) var messages: [TalkMessage] = []
    private(set) var hasMore = false
    private(set) var isAtEnd = true
    var names: [Int64: String] = [:]
    private(set) var typing: [Int64] = []
    var notice: String?
    private(set) var editor = LineEditor()
    /// The `key` of the message that is selected.
    private(set) var selected: String?
    /// How many lines are below the screen.
    private(set) var scroll = 0
    private var isLoading = false
    private var typedAt: Int64?
    private var readSeq: Int64 = 0

    init(roomID: String?) { self.roomID = roomID }

    var room: TalkRoom? { rooms.first { $0.id == roomID } }
    var selectedMessage: TalkMessage? { messages.first { $0.key == selected } }
    /// Lines for messages: all but the title, the status and the input.
    var rows: Int { max(height - 3, 1) }

    // MARK: What happens

    /// - Returns: the room to open where none was chosen.
    mutating func take(rooms: [TalkRoom]) -> [TalkAction] {
        self.rooms = rooms
        guard roomID == nil, let first = rooms.first else { return [] }
        return open(first.id)
    }

    mutating func take(messages: [TalkMessage], hasMore: Bool, isAtEnd: Bool) -> [TalkAction] {
        let before = TalkView.lineCount(self)
        let last = self.messages.last?.key
        self.messages = messages
        self.hasMore = hasMore
        self.isAtEnd = isAtEnd
        isLoading = false
        if selected != nil, selectedMessage == nil { selected = nil }
        // What is read stays where it is while new lines come below.
        if scroll > 0, messages.last?.key != last { scroll += max(TalkView.lineCount(self) - before, 0) }
        clampScroll()
        return read()
    }

    mutating func take(typing userID: Int64, isTyping: Bool) {
        typing.removeAll { $0 == userID }
        if isTyping, typing.count < 16 { typing.append(userID) }
    }

    mutating func loadingFailed(_ reason: String) {
        isLoading = false
        notice = reason
    }

    mutating func resize(width: Int, height: Int) {
        (self.width, self.height) = (max(width, 1), max(height, 1))
        clampScroll()
    }

    // MARK: Keys

    /// - Parameter now: milliseconds of any clock.
    mutating func take(_ key: Key, now: Int64) -> [TalkAction] {
        notice = nil
        switch key {
        case .character(let character): return typed(String(character), now)
        case .paste(let text): return typed(text, now)
        case .enter: return enter()
        case .tab: return next { $0.unread > 0 }
        case .backspace: editor.backspace()
        case .delete: editor.delete()
        case .left: editor.move(by: -1)
        case .right: editor.move(by: 1)
        case .home, .control("a"): editor.moveToStart()
        case .end, .control("e"): editor.moveToEnd()
        case .up: select(by: -1)
        case .down: select(by: 1)
        case .escape:
            selected = nil
            return scroll > 0 || !isAtEnd ? toEnd() : []
        case .pageUp: return page(up: true)
        case .pageDown: return page(up: false)
        case .control("w"): editor.deleteWord()
        case .control("u"): editor.deleteToStart()
        case .control("n"): return next { _ in true }
        case .control("p"): return next(backwards: true) { _ in true }
        case .control("r"): if let post = refusedPost { return [.retry(key: post)] }
        case .control("x"): if let post = refusedPost { return [.discard(key: post)] }
        case .control("l"): return [.redraw]
        case .control("c"): return [.end(code: 130)]
        case .control("d"): if editor.isEmpty { return [.end(code: 0)] }
        case .control: break
        }
        return []
    }

    private mutating func typed(_ text: String, _ now: Int64) -> [TalkAction] {
        guard editor.insert(text) else {
            notice = "A message has at most \(LineEditor.maximum) characters."
            return []
        }
        if let typedAt, now - typedAt < Self.typingPause { return [] }
        typedAt = now
        return [.typing]
    }

    private mutating func enter() -> [TalkAction] {
        guard editor.text.contains(where: { !$0.isWhitespace }) else { return [] }
        guard roomID != nil else {
            notice = "You are in no room."
            return []
        }
        let reply = selectedMessage?.messageID
        selected = nil
        typedAt = nil
        return [.send(editor.take(), replyTo: reply)] + (scroll > 0 || !isAtEnd ? toEnd() : [])
    }

    private mutating func select(by step: Int) {
        guard !messages.isEmpty else { return }
        let current = messages.firstIndex { $0.key == selected } ?? messages.count
        let index = current + step
        guard index < messages.count else {
            selected = nil
            return
        }
        selected = messages[max(index, 0)].key
        scroll = TalkView.scroll(toShow: max(index, 0), self)
    }

    /// The key of the selected post, where that was refused.
    private var refusedPost: String? {
        guard let message = selectedMessage, case .refused = message.status else { return nil }
        return message.key
    }

    // MARK: Rooms and scrolling

    private mutating func open(_ id: String) -> [TalkAction] {
        guard id != roomID || messages.isEmpty else { return [] }
        roomID = id
        (messages, hasMore, isAtEnd, typing, selected) = ([], false, true, [], nil)
        (scroll, isLoading, readSeq, typedAt) = (0, false, 0, nil)
        return [.open(room: id)]
    }

    /// The next room, in the order of the list, for which `isWanted` holds.
    private mutating func next(backwards: Bool = false, _ isWanted: (TalkRoom) -> Bool) -> [TalkAction] {
        guard !rooms.isEmpty else { return [] }
        let current = rooms.firstIndex { $0.id == roomID } ?? (backwards ? 0 : -1)
        for step in 1...rooms.count {
            let index = (current + (backwards ? -step : step) + 2 * rooms.count) % rooms.count
            if rooms[index].id != roomID, isWanted(rooms[index]) { return open(rooms[index].id) }
        }
        return []
    }

    private mutating func page(up: Bool) -> [TalkAction] {
        let step = max(rows - 1, 1)
        if up {
            scroll += step
            let most = max(TalkView.lineCount(self) - rows, 0)
            if scroll >= most, hasMore, !isLoading {
                isLoading = true
                scroll = most
                return [.loadOlder]
            }
            scroll = min(scroll, most)
            return []
        }
        if scroll == 0, !isAtEnd { return toEnd() }
        scroll = max(scroll - step, 0)
        return read()
    }

    private mutating func toEnd() -> [TalkAction] {
        scroll = 0
        return (isAtEnd ? [] : [.toEnd]) + read()
    }

    private mutating func clampScroll() { scroll = min(scroll, max(TalkView.lineCount(self) - rows, 0)) }

    /// What is on the screen is read.
    private mutating func read() -> [TalkAction] {
        guard scroll == 0, isAtEnd, let seq = messages.last(where: { $0.seq != nil })?.seq, seq > readSeq else {
            return []
        }
        readSeq = seq
        return [.markRead(seq: seq)]
    }
}
