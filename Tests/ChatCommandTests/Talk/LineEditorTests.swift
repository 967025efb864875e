import Testing

@testable import ChatCommand

@Suite(.timeLimit(.minutes(1))) struct LineEditorTests {
    private func editor(_ text: String) -> LineEditor {
        var editor = LineEditor()
        editor.insert(text)
        return editor
    }

    @Test func `text is NFC, and a letter joins the one before it`() {
        #expect(Array(editor("e\u{301}").text.unicodeScalars) == ["é"])
        var typed = editor("\u{1112}")
        typed.insert("\u{1161}")
        typed.insert("\u{11AB}")
        #expect(Array(typed.text.unicodeScalars) == ["한"])
        #expect(typed.cursor == 1)
    }

    @Test func `what controls a terminal is not typed; line feeds are`() {
        #expect(editor("a\r\nb\u{1B}[2J\u{9B}").text == "a\nb\u{FFFD}[2J\u{FFFD}")
    }

    @Test func `keys move and delete whole characters`() {
        var editor = editor("a👩‍👩‍👧b c")
        editor.move(by: -3)
        editor.backspace()
        #expect(editor.text == "ab c" && editor.cursor == 1)
        editor.delete()
        #expect(editor.text == "a c")
        editor.moveToEnd()
        editor.deleteWord()
        #expect(editor.text == "a ")
        editor.insert("x")
        editor.moveToStart()
        editor.insert("y")
        #expect(editor.text == "ya x")
        editor.moveToEnd()
        editor.deleteToStart()
        #expect(editor.isEmpty && editor.cursor == 0)
    }

    @Test func `it takes no more than a message has`() {
        var editor = editor(String(repeating: "a", count: LineEditor.maximum))
        let isInserted = editor.insert("b")
        #expect(!isInserted)
        #expect(editor.text.count == LineEditor.maximum)
    }

    @Test func `the part around the cursor is shown`() {
        var editor = editor("가나다라마")
        #expect(editor.shown(width: 20).text == "가나다라마")
        #expect(editor.shown(width: 20).column == 10)
        #expect(editor.shown(width: 7).text == "다라마")
        #expect(editor.shown(width: 7).column == 6)
        editor.moveToStart()
        #expect(editor.shown(width: 7).text == "가나다")
        #expect(editor.shown(width: 7).column == 0)
    }
}
