/// The cases about bodies, their framing, and the connection.
extension HTTPCases {
    // MARK: Framing

    static let lengths =
        [
            "+12", "-12", "12,12", "12, 12", "0x0c", "1 2", "12 a", "", "twelve", "12.0", "12;", "1e1",
            "18446744073709551628", "9999999999999999999", "\u{B9}",
        ].map { refused("the length '\($0)'", Text.plain(length: "Content-Length: \($0)\r\n")) }
        + [
            HTTPCase("a length with zeros in front", Text.plain(length: "Content-Length: 0012\r\n"), 201),
            HTTPCase("a length with blanks around it", Text.plain(length: "Content-Length: \t12 \r\n"), 201),
            HTTPCase("a length in upper case", Text.plain(length: "CONTENT-LENGTH: 12\r\n"), 201),
            HTTPCase("a length of 0", Text.plain(body: ""), 400),
            HTTPCase("no length is one of 0", Text.plain(length: "", body: ""), 400),
            refused("the same length twice", Text.plain(length: "Content-Length: 12\r\nContent-Length: 12\r\n")),
            refused("two lengths", Text.plain(length: "Content-Length: 12\r\nContent-Length: 0\r\n")),
            refused("a folded length", Text.plain(length: "Content-Length:\r\n 12\r\n")),
            refused("a blank before the colon of a length", Text.plain(length: "Content-Length : 12\r\n")),
            refused(
                "a length and chunks",
                Text.plain(length: "Content-Length: 22\r\nTransfer-Encoding: chunked\r\n", body: Text.chunkedBody)),
            refused(
                "chunks and a length",
                Text.plain(length: "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n", body: Text.chunkedBody)),
            HTTPCase("a length that is too large", Text.plain(length: "Content-Length: 65537\r\n"), 413, ends: true),
            HTTPCase(
                "a length of 18 digits", Text.plain(length: "Content-Length: 999999999999999999\r\n"), 413, ends: true),
        ]

    static let codings =
        [
            "identity", "xchunked", "chunkedx", "gzip", "chunked, identity", "chunked, gzip", "chunked, chunked",
            "chunked,chunked", "chunked;q=1", "\"chunked\"", "", ",", "chunk ed", "\u{B}chunked", "deflate", "trailers",
        ].map { refused("the coding '\($0)'", Text.chunked(coding: "Transfer-Encoding: \($0)\r\n")) }
        + ["gzip, chunked", "gzip,chunked", "deflate, gzip, chunked", "identity, chunked"].map {
            refused("the coding '\($0)'", Text.chunked(coding: "Transfer-Encoding: \($0)\r\n"), 501)
        }
        + ["chunked", "Chunked", "CHUNKED", " chunked", "chunked ", "\tchunked\t", ", chunked", "chunked,"].map {
            HTTPCase("the coding '\($0)'", Text.chunked(coding: "Transfer-Encoding: \($0)\r\n"), 201)
        }
        + [
            refused(
                "chunked twice",
                Text.chunked(coding: "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n")),
            refused(
                "chunked, then identity",
                Text.chunked(coding: "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n")),
            refused(
                "gzip, then chunked", Text.chunked(coding: "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n"),
                501),
        ]

    static let chunks =
        [
            ("one byte each", RequestText.body.map { "1\r\n\($0)\r\n" }.joined() + "0\r\n\r\n"),
            ("a size in upper case", "C\r\n\(RequestText.body)\r\n0\r\n\r\n"),
            ("zeros in front of a size", "00c\r\n\(RequestText.body)\r\n000\r\n\r\n"),
            ("an extension", "c;a=b\r\n\(RequestText.body)\r\n0\r\n\r\n"),
            ("an extension without a value", "c;a\r\n\(RequestText.body)\r\n0;b\r\n\r\n"),
            ("a quoted extension", "c;a=\"b;c\"\r\n\(RequestText.body)\r\n0\r\n\r\n"),
            ("blanks before an extension", "c ;a\r\n\(RequestText.body)\r\n0\r\n\r\n"),
        ].map { HTTPCase("chunks: \($0.0)", RequestText.chunked($0.1), 201) }
        + [
            ("0x before a size", "0xc\r\n\(RequestText.body)\r\n0\r\n\r\n"),
            ("a negative size", "-1\r\n\(RequestText.body)\r\n0\r\n\r\n"),
            ("a size with a sign", "+c\r\n\(RequestText.body)\r\n0\r\n\r\n"),
            ("an empty size", "\r\n\(RequestText.body)\r\n0\r\n\r\n"),
            ("a size that is none", "g\r\n\(RequestText.body)\r\n0\r\n\r\n"),
            ("a size of 2^64", "10000000000000000\r\n\(RequestText.body)\r\n0\r\n\r\n"),
            ("a size of 40 digits", String(repeating: "f", count: 40) + "\r\n\(RequestText.body)\r\n0\r\n\r\n"),
            ("a blank before a size", " c\r\n\(RequestText.body)\r\n0\r\n\r\n"),
            ("a blank behind a size", "c \r\n\(RequestText.body)\r\n0\r\n\r\n"),
            ("two sizes", "c c\r\n\(RequestText.body)\r\n0\r\n\r\n"),
            ("a bare LF behind a size", "c\n\(RequestText.body)\r\n0\r\n\r\n"),
            ("a bare LF behind an extension", "c;a\n\(RequestText.body)\r\n0\r\n\r\n"),
            ("a bare CR in an extension", "c;a\rb\r\n\(RequestText.body)\r\n0\r\n\r\n"),
            ("NUL in an extension", "c;a\u{0}\r\n\(RequestText.body)\r\n0\r\n\r\n"),
            (
                "an extension of 2 KiB",
                "c;" + String(repeating: "a", count: 2_048) + "\r\n\(RequestText.body)\r\n0\r\n\r\n"
            ),
            ("data that is too long", "b\r\n\(RequestText.body)\r\n0\r\n\r\n"),
            ("no CR LF behind the data", "c\r\n\(RequestText.body)XX0\r\n\r\n"),
            ("a bare LF behind the data", "c\r\n\(RequestText.body)\n0\r\n\r\n"),
            ("a bare CR behind the data", "c\r\n\(RequestText.body)\r0\r\n\r\n"),
        ].map { refused("chunks: \($0.0)", RequestText.chunked($0.1)) }
        + [HTTPCase("chunks: none", Text.chunked("0\r\n\r\n"), 400)]

    static let trailers = [
        HTTPCase("a trailer", Text.chunked("c\r\n\(Text.body)\r\n0\r\nX-A: b\r\n\r\n"), 201),
        HTTPCase("two trailers", Text.chunked("c\r\n\(Text.body)\r\n0\r\nX-A: b\r\nX-B:\r\n\r\n"), 201),
        HTTPCase(
            "a trailer that would frame", Text.chunked("c\r\n\(Text.body)\r\n0\r\nContent-Length: 99\r\n\r\n"), 201),
        refused("a trailer without a colon", Text.chunked("c\r\n\(Text.body)\r\n0\r\nX-A\r\n\r\n")),
        refused("a folded trailer", Text.chunked("c\r\n\(Text.body)\r\n0\r\nX-A: b\r\n c\r\n\r\n")),
        refused("a trailer that ends with LF", Text.chunked("c\r\n\(Text.body)\r\n0\r\nX-A: b\n\r\n")),
        refused("trailers that end with LF", Text.chunked("c\r\n\(Text.body)\r\n0\r\n\n")),
        refused(
            "101 trailers",
            Text.chunked("c\r\n\(Text.body)\r\n0\r\n" + String(repeating: "X: y\r\n", count: 101) + "\r\n"), 431),
    ]

    // MARK: The connection

    static let connections =
        [
            "close", "Close", "CLOSE", "close, te", "te, close", "te,close", "keep-alive, close", " close ", "close,",
            ",close",
        ]
        .map { HTTPCase("Connection: \($0)", Text.plain("Connection: \($0)\r\n"), 201, ends: true) }
        + ["keep-alive", "Keep-Alive", "te", "closed", "close-d", "x-close", "not close", "", "Upgrade"]
        .map { HTTPCase("Connection: \($0)", Text.plain("Connection: \($0)\r\n"), 201) }
        + [
            HTTPCase(
                "two Connection fields", Text.plain("Connection: te\r\nConnection: close\r\n"), 201, ends: true),
            HTTPCase(
                "a get that closes", "GET /last HTTP/1.1\r\nHost: x\r\nConnection: Close\r\n\r\n", 200, ends: true),
            HTTPCase("a refused post that closes", Text.plain("Connection: close\r\n", body: "{"), 400, ends: true),
            HTTPCase(
                "a chunked post that closes",
                Text.plain("Connection: close\r\n", length: "Transfer-Encoding: chunked\r\n", body: Text.chunkedBody),
                201, ends: true),
        ]

    static let expectations = [
        HTTPCase(
            "an expectation whose body is there", Text.plain("Expect: 100-continue\r\n"), 201, expectsContinue: true),
        HTTPCase(
            "an expectation in upper case", Text.plain("Expect: 100-CONTINUE\r\n"), 201, expectsContinue: true),
        HTTPCase("an expectation without a body", "GET /last HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n\r\n", 200),
        refused("another expectation", Text.plain("Expect: 200-ok\r\n"), 417),
        refused("two expectations", Text.plain("Expect: 100-continue, x\r\n"), 417),
        refused("an empty expectation", Text.plain("Expect:\r\n"), 417),
    ]

    // MARK: Bodies

    static let bodies =
        [
            ("", 400), ("{", 400), ("[]", 400), ("null", 400), ("{}", 422), (#"{"text":""}"#, 422),
            (#"{"text":1}"#, 422),
            (#"{"text":"\u0000"}"#, 422), (#"{"text":"\ud800"}"#, 422), ("{\"text\":\"\u{FF}\"}", 422),
            ("\u{EF}\u{BB}\u{BF}{\"text\":\"a\"}", 400), (#"{"text":"a"} "#, 201), (#"{"text":"a"}x"#, 400),
        ].map { HTTPCase("the body \($0.0.debugDescription)", Text.plain(body: $0.0), $0.1) }
        + [
            "application/json; charset=utf-8", "APPLICATION/JSON", "application/json;", " application/json ",
            "application/json;x=y",
        ].map { HTTPCase("the type '\($0)'", Text.plain(type: "Content-Type: \($0)\r\n"), 201) }
        + ["text/plain", "application/json, text/plain", "application/jsonx", "application/problem+json", "", "json"]
        .map { HTTPCase("the type '\($0)'", Text.plain(type: "Content-Type: \($0)\r\n"), 415) }
        + ["gzip", "GZIP", "br", "deflate", "gzip, identity", ""]
        .map { HTTPCase("the encoding '\($0)'", Text.plain("Content-Encoding: \($0)\r\n"), 415) }
        + ["identity", "Identity"].map {
            HTTPCase("the encoding '\($0)'", Text.plain("Content-Encoding: \($0)\r\n"), 201)
        }
        + [
            HTTPCase("no type", Text.plain(type: ""), 415),
            HTTPCase(
                "two types", Text.plain(type: "Content-Type: application/json\r\nContent-Type: text/plain\r\n"), 415),
        ]

    static let sizes = [
        HTTPCase(
            "a body of 64 KiB", Text.plain(body: Text.body + String(repeating: " ", count: 65_536 - 12)), 201),
        HTTPCase(
            "a chunked body of more",
            Text.chunked("10001\r\n" + String(repeating: " ", count: 65_537) + "\r\n0\r\n\r\n"),
            413, ends: true),
        HTTPCase("92 fields more", Text.plain(String(repeating: "X: y\r\n", count: 92)), 201),
        refused("101 fields", Text.plain(String(repeating: "X: y\r\n", count: 97)), 431),
        HTTPCase("a field of 15 KiB", Text.plain("X: \(String(repeating: "y", count: 15_000))\r\n"), 201),
        refused("a field of 17 KiB", Text.plain("X: \(String(repeating: "y", count: 17_000))\r\n"), 431),
        refused(
            "a target of 17 KiB", Text.plain(line: "POST {path}?\(String(repeating: "y", count: 17_000)) HTTP/1.1"), 431
        ),
    ]

    static let sequences = [
        HTTPCase("refused, then a post", Text.plain(body: "{") + Text.plain(), 400, 201),
        HTTPCase("a post, then nonsense", Text.plain() + "nonsense\r\n\r\n" + Text.plain(), 201, 400, ends: true),
        HTTPCase("a chunked post between posts", Text.plain() + Text.chunked() + Text.plain(), 201, 201, 201),
        HTTPCase(
            "posts of both kinds and gets", Text.get + Text.plain() + Text.get + Text.chunked() + Text.plain(), 200,
            201,
            200, 201, 201),
        HTTPCase("what is not there, then a post", Text.plain(line: "POST /nothing HTTP/1.1") + Text.plain(), 404, 201),
        HTTPCase("the wrong method, then a post", Text.plain(line: "PUT {path} HTTP/1.1") + Text.plain(), 405, 201),
        HTTPCase("a head, then a post", "HEAD /last HTTP/1.1\r\nHost: x\r\n\r\n" + Text.plain(), 200, 201),
        HTTPCase("five posts", String(repeating: Text.plain(), count: 5), 201, 201, 201, 201, 201),
        HTTPCase(
            "a post that closes, then another", Text.plain("Connection: close\r\n") + Text.plain(), 201, ends: true),
    ]
}
