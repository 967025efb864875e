import Testing

@testable import ChatSystemServer

@Suite(.timeLimit(.minutes(1))) struct LineSplitterTests {
    /// All lines of a text that comes in pieces; `nil` for one that is too large.
    private func lines(_ text: String, pieces: Int, maximumBytes: Int = 8) -> [String?] {
        var splitter = LineSplitter(maximumBytes: maximumBytes)
        var lines: [String?] = []
        func add(_ line: LineSplitter.Line) {
            switch line {
            case .text(let bytes): lines.append(String(decoding: bytes, as: UTF8.self))
            case .tooLarge: lines.append(nil)
            }
        }
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            splitter.append(rest.prefix(pieces))
            rest = rest.dropFirst(pieces)
            while let line = splitter.next() { add(line) }
        }
        if let line = splitter.last() { add(line) }
        return lines
    }

    @Test(arguments: [1, 2, 3, 7, 1_000]) func `lines are the same however the bytes come`(pieces: Int) {
        #expect(lines("", pieces: pieces) == [])
        #expect(lines("a\nbc\n\nd", pieces: pieces) == ["a", "bc", "", "d"])
        #expect(lines("a\r\nb\n", pieces: pieces) == ["a\r", "b"])
        #expect(lines("\n", pieces: pieces) == [""])
    }

    @Test(arguments: [1, 5, 1_000]) func `a line that is too large is skipped, also at the end`(pieces: Int) {
        #expect(lines("12345678\n123456789\nx\n", pieces: pieces) == ["12345678", nil, "x"])
        #expect(lines("x\n" + String(repeating: "y", count: 1_000), pieces: pieces) == ["x", nil])
    }
}
