import Testing

@testable import ChatCommand

@Suite(.timeLimit(.minutes(1))) struct TalkViewTests {
    private func state(width: Int = 30, height: Int = 8, _ messages: [TalkMessage] = []) -> TalkState {
        var state = TalkState(roomID: "a")
        state.resize(width: width, height: height)
        state.connection = "live"
        state.names = [7: "Alice"]
        _ = state.take(rooms: [
            TalkRoom(id: "a", name: "Lobby", unread: 0), TalkRoom(id: "b", name: "Te\u{1B}am", unread: 3),
        ])
        _ = state.take(messages: messages, hasMore: false, isAtEnd: true)
        return state
    }

    private func message(_ id: Int64, _ text: String, sender: Int64 = 7) -> TalkMessage {
        TalkMessage(key: "id:\(id)", messageID: id, seq: id, senderID: sender, time: "09:00", text: text)
    }

    @Test func `the newest messages are at the bottom, the title has the room, its state and unread rooms`() {
        var reply = message(2, "Hi!", sender: 8)
        reply.replyTo = 1
        let view = TalkView(state([message(1, "Hello 한글 and more text"), reply]))
        #expect(
            view.lines.map(\.text) == [
                " Lobby · live   Te\u{FFFD}am (3)     ", "", "09:00 Alice: Hello 한글 and", "more text",
                "  ↪ Alice: Hello 한글 and mor…", "09:00 user 8: Hi!", "PgUp: older · ↑: reply · Tab:…", "> ",
            ])
        #expect(view.cursorRow == 7 && view.cursorColumn == 2)
        #expect(view.lines[0].style == .reverse)
    }

    @Test func `nothing that controls a terminal is on the screen`() {
        var refused = message(3, "c")
        refused.status = .refused(code: "x\u{1B}y")
        var state = state([message(1, "a\u{1B}[2J\u{9B}b\rc"), refused])
        state.names[7] = TerminalText.clean("A\u{1B}")
        state.notice = "bad\u{7}"
        for line in TalkView(state).lines {
            #expect(!line.text.unicodeScalars.contains { $0.value < 0x20 || (0x7F...0x9F).contains($0.value) })
        }
    }

    @Test func `messages on their way, refused, edited and selected ones look different`() {
        var waiting = message(1, "a")
        waiting.status = .waiting
        var refused = message(2, "b")
        refused.status = .refused(code: "room_archived")
        var edited = message(3, "c")
        edited.isEdited = true
        var state = state(width: 60, [waiting, refused, edited])
        #expect(
            TalkView(state).lines[3...5] == [
                .init(text: "09:00 Alice: a …", style: .dim),
                .init(text: "09:00 Alice: b ✗ room_archived", style: .bold),
                .init(text: "09:00 Alice: c (edited)", style: .plain),
            ])
        _ = state.take(.up, now: 0)
        #expect(TalkView(state).lines[5].style == .reverse)
        #expect(TalkView(state).lines[6].text.hasPrefix("Enter: reply to Alice"))
    }

    @Test func `who types is shown`() {
        var state = state()
        state.take(typing: 7, isTyping: true)
        #expect(TalkView(state).lines[6].text == "Alice is typing …")
        state.take(typing: 8, isTyping: true)
        #expect(TalkView(state).lines[6].text == "Alice, user 8 are typing …")
        state.take(typing: 7, isTyping: false)
        state.take(typing: 8, isTyping: false)
        #expect(TalkView(state).lines[6].text.hasPrefix("PgUp"))
    }

    @Test func `the view fits every size of terminal`() {
        let text = "가나다 abc 👩‍👩‍👧 e\u{301} 漢字 longerwordwithoutspace"
        var state = state((1...30).map { message($0, text) })
        for _ in 0..<20 { _ = state.take(.character("한"), now: 0) }
        for width in 1...50 {
            for height in 1...12 {
                state.resize(width: width, height: height)
                let view = TalkView(state)
                #expect(view.lines.count == height)
                #expect(view.lines.allSatisfy { DisplayWidth.of($0.text) <= width })
                #expect((0..<height).contains(view.cursorRow) && (0..<width).contains(view.cursorColumn))
            }
        }
    }

    @Test func `only lines that changed are written`() {
        var state = state([message(1, "a")])
        let first = TalkView(state)
        let whole = TalkTerminal.change(from: [], to: first)
        #expect(whole.contains("\u{1B}[2J") && whole.contains("Lobby"))
        _ = state.take(.character("x"), now: 0)
        let change = TalkTerminal.change(from: first.lines, to: TalkView(state))
        #expect(change == "\u{1B}[?25l\u{1B}[8;1H\u{1B}[0m\u{1B}[2K> x\u{1B}[0m\u{1B}[8;4H\u{1B}[?25h")
    }
}
