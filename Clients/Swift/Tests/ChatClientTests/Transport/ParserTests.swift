import Testing

@testable import ChatClient

@Suite(.timeLimit(.minutes(1))) struct ParserTests {
    @Test func `an event stream is read in any pieces`() throws {
        let text =
            "retry: 3000\r\n\r\n: hi\n\nid: c1\ndata: {\"a\":\ndata: 1}\n\nevent: close\rdata: {}\r\r\ndata\n\ndata: cut"
        let expected: [EventStreamParser.Event] = [
            .retry(3000), .comment, .message(data: "{\"a\":\n1}", id: "c1", type: "message"),
            .message(data: "{}", id: nil, type: "close"), .message(data: "", id: nil, type: "message"),
        ]
        for size in [1, 2, 3, 7, 1000] {
            var parser = EventStreamParser()
            var events: [EventStreamParser.Event] = []
            var rest = Array(text.utf8)[...]
            while !rest.isEmpty {
                events += try parser.parse(rest.prefix(size))
                rest = rest.dropFirst(size)
            }
            #expect(events == expected)
        }
    }

    @Test(arguments: [
        ("https://chat.example.org", "chat.example.org", 443, ""), ("HTTP://A:81/x/", "a", 81, "/x"),
        ("ws://[::1]:8082", "::1", 8082, ""),
    ])
    func `addresses are read`(_ text: String, _ host: String, _ port: Int, _ path: String) throws {
        let address = try ServerAddress(text)
        #expect((address.host, address.port, address.path) == (host, port, path))
    }

    @Test(arguments: [
        "", "chat", "ftp://a", "http://", "http://a:0", "http://a:b", "http://a b", "http://[::1", "http://a/?q",
    ])
    func `what is no address is refused`(_ text: String) {
        #expect(throws: ChatError.self) { try ServerAddress(text) }
    }

    @Test func `a port means the same host`() throws {
        let address = try ServerAddress("https://chat.example.org/x").resolving(":8081")
        #expect(address.description == "https://chat.example.org:8081")
    }

    @Test(
        arguments: [
            ("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_777), ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
            ("Thu, 29 Feb 2024 12:00:00 GMT", 1_709_208_000),
        ] as [(String, Int64)])
    func `dates are read`(_ text: String, _ seconds: Int64) { #expect(HTTPDate.seconds(text) == seconds) }

    @Test func `JSON keeps what it does not know`() throws {
        let text =
            #"{"eventType":"poll","seq":7,"mark":"m","n":1.10,"s":"é\n\u0001\"\\","big":123456789012345678901,"x":[null,true,{}]}"#
        let value = try JSONValue(parsing: text)
        let found1 = try JSONValue(parsing: value.text)
        #expect(found1 == value)
        let event = try #require(value.object.flatMap(ChatEvent.init(json:)))
        guard case .unknown(let unknown) = event else {
            Issue.record("known")
            return
        }
        #expect(unknown.eventType == "poll")
        #expect(value.text.contains("1.10") && value.text.contains("123456789012345678901"))
    }

    @Test(arguments: ["", "{", "[1,]", "{\"a\":1,}", "01", "1.", "\"\\ud800\"", "\"\u{1}\"", "nul", "1 2", "\"\\x\""])
    func `what is no JSON is refused`(_ text: String) {
        #expect(throws: ChatError.self) { try JSONValue(parsing: text) }
        #expect(throws: ChatError.self) { try JSONParser.parse(Array(repeating: UInt8(ascii: "["), count: 100_000)) }
    }
}
