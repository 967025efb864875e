import Testing

@testable import ChatCommand

@Suite(.timeLimit(.minutes(1))) struct DisplayWidthTests {
    @Test(arguments: [
        ("", 0), ("abc", 3), ("한글", 4), ("漢字かな", 8), ("ｱ", 1), ("Ａ", 2), ("e\u{301}", 1), ("é", 1),
        ("\u{1112}\u{1161}\u{11AB}", 2), ("👩‍👩‍👧", 2), ("🇰🇷", 2), ("❤️", 2), ("❤", 1), ("…", 1), ("\u{200B}", 0),
        ("a\u{7}", 1),
    ])
    func `columns are counted by East Asian Width`(text: String, width: Int) {
        #expect(DisplayWidth.of(text) == width)
    }

    @Test(arguments: [("abc", 3, "abc"), ("abcd", 3, "ab…"), ("한글날", 5, "한글…"), ("한글날", 4, "한…"), ("a", 0, "")])
    func `what is cut ends with an ellipsis and is never too wide`(text: String, width: Int, shown: String) {
        #expect(DisplayWidth.truncated(text, to: width) == shown)
        #expect(DisplayWidth.of(shown) <= width)
    }

    @Test(arguments: [
        ("one two three", 7, ["one two", "three"]), ("abcdef", 3, ["abc", "def"]), ("한글날", 4, ["한글", "날"]),
        ("한글날", 5, ["한글", "날"]), ("a\n\nb", 9, ["a", "", "b"]), ("", 5, [""]), ("a bcdef", 4, ["a", "bcde", "f"]),
    ])
    func `lines are broken at spaces where there are some`(text: String, width: Int, lines: [String]) {
        let wrapped = DisplayWidth.wrapped(text, to: width)
        #expect(wrapped == lines)
    }

    @Test func `no line is too wide, whatever the text`() {
        let text = "가나다 abc 👩‍👩‍👧 e\u{301} 漢字 longerwordwithoutspace 🇰🇷🇰🇷"
        for width in 2...40 {
            for line in DisplayWidth.wrapped(text, to: width) { #expect(DisplayWidth.of(line) <= width) }
        }
    }
}
