import Testing

@testable import ChatCommand

@Suite(.timeLimit(.minutes(1))) struct PostLinesTests {
    private func split(_ parts: [String]) -> [LineSplitter.Line] {
        var splitter = LineSplitter()
        var lines = parts.flatMap { splitter.add($0.utf8) }
        if let last = splitter.finish() { lines.append(last) }
        return lines
    }

    private func line(_ number: Int, _ text: String) -> LineSplitter.Line {
        LineSplitter.Line(number: number, content: .text(text))
    }

    @Test(arguments: [
        ["a\nb\n"], ["a\nb"], ["a", "\n", "b\n"], ["a\r\nb\r\n"],
    ])
    func `lines are the same however they come`(parts: [String]) {
        #expect(split(parts) == [line(1, "a"), line(2, "b")])
    }

    @Test func `empty lines count and are not sent`() {
        #expect(split(["\n\na\n\r\n \n"]) == [line(3, "a"), line(5, " ")])
        #expect(split([""]) == [])
    }

    @Test func `a line that is too long is a line without its text`() {
        let lines = split([String(repeating: "a", count: LineSplitter.maximumBytes + 1) + "\nb"])
        #expect(lines == [.init(number: 1, content: .tooLong), line(2, "b")])
        #expect(split([String(repeating: "a", count: LineSplitter.maximumBytes)]).map(\.number) == [1])
    }

    @Test func `a line that is not UTF-8 is a line without its text`() {
        var splitter = LineSplitter()
        #expect(splitter.add([0xFF, 0x0A, 0x61, 0x0A]) == [.init(number: 1, content: .notUTF8), line(2, "a")])
    }

    @Test func `a prefix has at most 48 letters, digits, points, lines`() {
        #expect(KeyPrefix(argument: "Ab.9_-")?.key(ofLine: 12) == "Ab.9_--12")
        #expect(KeyPrefix(argument: "") == nil)
        #expect(KeyPrefix(argument: "a b") == nil)
        #expect(KeyPrefix(argument: "é") == nil)
        #expect(KeyPrefix(argument: String(repeating: "a", count: 48)) != nil)
        #expect(KeyPrefix(argument: String(repeating: "a", count: 49)) == nil)
    }

    @Test func `a report says what became of a line`() {
        let stored = PostReport(number: 2, key: "P-2", outcome: .stored(messageID: 5, seq: 9))
        #expect(stored.json == #"{"line":2,"key":"P-2","state":"stored","messageId":5,"seq":9}"#)
        #expect(stored.complaint == nil)
        let refused = PostReport(
            number: 3, key: nil, outcome: .refused(code: "invalid", message: "No\u{1B}", isCertain: false))
        #expect(
            refused.json
                == #"{"line":3,"state":"refused","code":"invalid","message":"No\u001b","isCertain":false}"#)
        #expect(
            refused.complaint == "chat: line 3: invalid: No\u{FFFD} (it may be stored: an earlier answer was lost)")
    }
}
