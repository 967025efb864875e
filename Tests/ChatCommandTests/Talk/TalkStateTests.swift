import Testing

@testable import ChatCommand

@Suite(.timeLimit(.minutes(1))) struct TalkStateTests {
    private func message(_ seq: Int64, _ text: String = "text") -> TalkMessage {
        TalkMessage(key: "id:\(seq)", messageID: seq * 10, seq: seq, senderID: 7, time: "09:00", text: text)
    }

    /// A room of eleven lines for messages, with so many messages of one line.
    private func state(_ count: Int64, hasMore: Bool = false) -> TalkState {
        var state = TalkState(roomID: "a")
        state.resize(width: 40, height: 13)
        _ = state.take(rooms: [
            TalkRoom(id: "a", name: "A", unread: 0), TalkRoom(id: "b", name: "B", unread: 0),
            TalkRoom(id: "c", name: "C", unread: 2),
        ])
        _ = state.take(messages: count == 0 ? [] : (1...count).map { message($0) }, hasMore: hasMore, isAtEnd: true)
        return state
    }

    private func type(_ text: String, _ state: inout TalkState, now: Int64 = 0) -> [TalkAction] {
        text.flatMap { state.take(.character($0), now: now) }
    }

    @Test func `what is typed is sent by Enter, and typing is said every four seconds`() {
        var state = state(1)
        #expect(type("hi", &state) == [.typing])
        #expect(type("!", &state, now: 3999) == [])
        #expect(type("!", &state, now: 4000) == [.typing])
        #expect(state.take(.enter, now: 4001) == [.send("hi!!", replyTo: nil)])
        #expect(state.editor.isEmpty)
        #expect(state.take(.enter, now: 4002) == [])
        #expect(type("a", &state, now: 4003) == [.typing])
    }

    @Test func `spaces alone are not sent, nor is anything without a room`() {
        var state = TalkState(roomID: nil)
        _ = type("  ", &state)
        #expect(state.take(.enter, now: 0) == [])
        _ = type("a", &state)
        #expect(state.take(.enter, now: 0) == [])
        #expect(state.editor.text == "  a" && state.notice != nil)
    }

    @Test func `a selected message is replied to`() {
        var state = state(3)
        _ = state.take(.up, now: 0)
        _ = state.take(.up, now: 0)
        #expect(state.selectedMessage?.messageID == 20)
        _ = type("x", &state)
        #expect(state.take(.enter, now: 0) == [.send("x", replyTo: 20)])
        #expect(state.selected == nil)
        _ = state.take(.up, now: 0)
        _ = state.take(.down, now: 0)
        #expect(state.selected == nil)
    }

    @Test func `a selection goes with its message`() {
        var state = state(3)
        _ = state.take(.up, now: 0)
        _ = state.take(messages: [message(1)], hasMore: false, isAtEnd: true)
        #expect(state.selected == nil)
    }

    @Test func `a refused post can be sent again or given up`() {
        var state = state(1)
        var refused = TalkMessage(key: "own:k", senderID: 7, time: "09:00", text: "x")
        refused.status = .refused(code: "room_archived")
        _ = state.take(messages: [message(1), refused], hasMore: false, isAtEnd: true)
        #expect(state.take(.control("r"), now: 0) == [])
        _ = state.take(.up, now: 0)
        #expect(state.take(.control("r"), now: 0) == [.retry(key: "own:k")])
        #expect(state.take(.control("x"), now: 0) == [.discard(key: "own:k")])
    }

    @Test func `PgUp goes back, and asks for older messages once at the top`() {
        var state = state(25, hasMore: true)
        #expect(state.rows == 10)
        #expect(state.take(.pageUp, now: 0) == [])
        #expect(state.scroll == 9)
        #expect(state.take(.pageUp, now: 0) == [.loadOlder])
        #expect(state.take(.pageUp, now: 0) == [])
        // 26 lines: the first says that there are older ones.
        #expect(state.scroll == 16)
        state.loadingFailed("no network")
        #expect(state.notice == "no network")
        #expect(state.take(.pageUp, now: 0) == [.loadOlder])
    }

    @Test func `what is read stays in its place while new messages come, and they are not marked as read`() {
        var state = state(25)
        _ = state.take(.pageUp, now: 0)
        let before = TalkView(state).lines[1...10]
        #expect(state.take(messages: (1...27).map { message($0) }, hasMore: false, isAtEnd: true) == [])
        #expect(TalkView(state).lines[1...10] == before)
        #expect(state.take(.escape, now: 0) == [.markRead(seq: 27)])
        #expect(state.scroll == 0)
    }

    @Test func `older messages that are added above move nothing`() {
        var state = state(25, hasMore: true)
        _ = state.take(.pageUp, now: 0)
        let before = TalkView(state).lines[1...10]
        let all = [message(-1), message(0)] + (1...25).map { message($0) }
        _ = state.take(messages: all, hasMore: false, isAtEnd: true)
        #expect(TalkView(state).lines[1...10] == before)
    }

    @Test func `what is on the screen is marked as read, each time once`() {
        var state = state(0)
        #expect(state.take(messages: [message(1)], hasMore: false, isAtEnd: true) == [.markRead(seq: 1)])
        #expect(state.take(messages: [message(1)], hasMore: false, isAtEnd: true) == [])
        #expect(state.take(messages: [message(1), message(2)], hasMore: false, isAtEnd: false) == [])
    }

    @Test func `away from the end Esc and sending lead to it`() {
        var state = state(0)
        _ = state.take(messages: [message(1)], hasMore: false, isAtEnd: false)
        #expect(state.take(.escape, now: 0) == [.toEnd])
        #expect(state.take(.pageDown, now: 0) == [.toEnd])
        _ = type("x", &state)
        #expect(state.take(.enter, now: 0) == [.send("x", replyTo: nil), .toEnd])
    }

    @Test func `Tab leads to unread rooms, Ctrl-N and Ctrl-P to all`() {
        var state = state(1)
        #expect(state.take(.tab, now: 0) == [.open(room: "c")])
        #expect(state.messages.isEmpty)
        #expect(state.take(.tab, now: 0) == [])
        #expect(state.take(.control("n"), now: 0) == [.open(room: "a")])
        #expect(state.take(.control("p"), now: 0) == [.open(room: "c")])
    }

    @Test func `without a room the first of the list is opened`() {
        var state = TalkState(roomID: nil)
        #expect(state.take(rooms: []) == [])
        #expect(state.take(rooms: [TalkRoom(id: "a", name: "A", unread: 0)]) == [.open(room: "a")])
        #expect(state.take(rooms: [TalkRoom(id: "b", name: "B", unread: 0)]) == [])
    }

    @Test func `Ctrl-C ends it with 130, Ctrl-D where nothing is typed with 0`() {
        var state = state(1)
        #expect(state.take(.control("c"), now: 0) == [.end(code: 130)])
        #expect(state.take(.control("d"), now: 0) == [.end(code: 0)])
        _ = type("x", &state)
        #expect(state.take(.control("d"), now: 0) == [])
    }
}
