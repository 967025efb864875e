import ChatTestSupport
import Testing

/// The tests' own reader of event streams, by the examples of the HTML standard (section 9.2.6).
@Suite(.timeLimit(.minutes(1))) struct EventStreamParserTests {
    private func parse(_ text: String, chunk: Int = .max) -> EventStreamParser {
        var parser = EventStreamParser()
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            parser.append(rest.prefix(chunk))
            rest = rest.dropFirst(chunk)
        }
        return parser
    }

    @Test(arguments: [
        ("data: YHOO\ndata: +2\ndata: 10\n\n", ["YHOO\n+2\n10"], ""),
        (
            ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n",
            ["first event", "second event"], ""
        ),
        ("data\n\ndata\ndata\n\ndata:", ["", "\n"], ""),
        ("data:test\n\ndata: test\n\n", ["test", "test"], ""),
        ("\u{FEFF}data: a\r\rdata: b\r\n\r\nid: 7\n\ndata: c\n\n", ["a", "b", "c"], "7"),
        ("id: a\u{0}b\ndata: x\n\n", ["x"], ""),
    ])
    func `a stream is understood as browsers do, in one piece or in many`(text: String, data: [String], last: String) {
        for chunk in [1, 2, 3, .max] {
            let parser = parse(text, chunk: chunk)
            #expect(parser.events.map(\.data) == data)
            #expect(parser.lastEventID == last)
        }
    }

    @Test func `types, times and comments are understood`() {
        let parser = parse("event: close\ndata: x\n\nretry: 300\nretry: 4x\n:\n:b\n\nfoo: bar\n")
        #expect(parser.events == [.init(type: "close", data: "x", lastEventID: "")])
        #expect(parser.retries == [300] && parser.comments == ["", "b"] && parser.faults == ["unknown field: foo"])
    }
}
