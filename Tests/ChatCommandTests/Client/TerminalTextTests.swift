import Testing

@testable import ChatCommand

@Suite(.timeLimit(.minutes(1))) struct TerminalTextTests {
    @Test(arguments: [
        ("Hello 한글 👩‍👩‍👧 é", "Hello 한글 👩‍👩‍👧 é"), ("a\u{1B}[2Jb", "a\u{FFFD}[2Jb"), ("a\nb\tc", "a⏎b c"),
        ("\u{9B}31m\u{7F}", "\u{FFFD}31m\u{FFFD}"), ("a\u{202E}b\u{2066}", "a\u{FFFD}b\u{FFFD}"),
        ("a\u{E0041}", "a\u{FFFD}"),
    ])
    func `characters that control a terminal are replaced, all others kept`(text: String, shown: String) {
        #expect(TerminalText.clean(text) == shown)
    }

    @Test func `JSON keeps its meaning, and has no character that controls a terminal`() {
        #expect(TerminalText.cleanJSON("{\"a\":\"x\u{9B}\u{7F}한\"}") == "{\"a\":\"x\\u009b\\u007f한\"}")
    }
}
