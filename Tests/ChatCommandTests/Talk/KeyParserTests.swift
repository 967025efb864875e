import Testing

@testable import ChatCommand

@Suite(.timeLimit(.minutes(1))) struct KeyParserTests {
    @Test(arguments: [
        ("a", [Key.character("a")]), ("한", [.character("한")]), ("\r", [.enter]), ("\u{7F}", [.backspace]),
        ("\u{1B}[A\u{1B}OB", [.up, .down]), ("\u{1B}[5~\u{1B}[6~", [.pageUp, .pageDown]), ("\u{3}", [.control("c")]),
        ("\u{1B}[H\u{1B}[4~\u{1B}[3~", [.home, .end, .delete]), ("\u{1B}[1;5C", []), ("\u{9B}", []),
        ("\u{1B}[200~a\rb\u{1B}[A\u{1B}[201~c", [.paste("a\rb\u{1B}[A"), .character("c")]),
    ])
    func `keys are read however their bytes come`(text: String, keys: [Key]) {
        var whole = KeyParser()
        #expect(whole.add(Array(text.utf8)) == keys)
        var parts = KeyParser()
        #expect(text.utf8.flatMap { parts.add([$0]) } == keys)
    }

    @Test func `an escape is a key once nothing follows`() {
        var parser = KeyParser()
        #expect(parser.add([0x1B]) == [])
        #expect(parser.isUndecided)
        #expect(parser.flush() == [.escape])
        #expect(parser.add([0x1B, 0x61]) == [.escape, .character("a")])
    }

    @Test func `bytes that are no text and sequences without an end are passed over`() {
        var parser = KeyParser()
        #expect(parser.add([0xFF, 0xC0, 0x61, 0x62]) == [.character("a"), .character("b")])
        #expect(parser.add([0x1B, 0x5B] + Array(repeating: 0x30, count: 40)).isEmpty)
        #expect(parser.add([0x62]).last == .character("b"))
    }

    @Test func `a paste without an end is bounded`() {
        var parser = KeyParser()
        _ = parser.add(Array("\u{1B}[200~".utf8))
        for _ in 0..<20 { #expect(parser.add(Array(repeating: 0x61, count: 10_000)).isEmpty) }
        let keys = parser.add(Array("\u{1B}[201~".utf8))
        guard case .paste(let text)? = keys.first else {
            Issue.record("no paste")
            return
        }
        #expect(text.utf8.count <= 65_552)
    }
}
