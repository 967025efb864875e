/// The cases that both ways of a request have to answer alike (RFC 9110, RFC 9112).
enum HTTPCases {
    static let all =
        plain + methods + requestLines + targets + versions + hosts + fields + lengths + codings + chunks + trailers
        + connections + expectations + bodies + sizes + sequences

    private typealias Text = RequestText

    /// The ASCII characters that are neither of a token nor a control character.
    private static let separators = "\"(),/;<=>?@[\\]{} "
    private static let controls = (0...0x1F).filter { $0 != 0x09 && $0 != 0x0A && $0 != 0x0D } + [0x7F]

    private static func refused(_ name: String, _ text: String, _ status: Int = 400) -> HTTPCase {
        HTTPCase(name, text, status, ends: true)
    }

    private static func character(_ code: Int) -> String { String(UnicodeScalar(UInt8(code))) }

    // MARK: Requests as most clients make them

    static let plain = [
        HTTPCase("a post", Text.plain(), 201),
        HTTPCase("a chunked post", Text.chunked(), 201),
        HTTPCase("two posts", Text.plain() + Text.plain(), 201, 201),
        HTTPCase("a post and a get", Text.plain() + Text.get, 201, 200),
        HTTPCase("a get and a post", Text.get + Text.plain(), 200, 201),
        HTTPCase("a get with a body", "GET /last HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nabcde", 200),
        HTTPCase("no request but the last", ""),
    ]

    // MARK: Request line

    static let methods =
        [
            "GET", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND", "M-SEARCH", "BREW", "post", "Post", "POSTS",
            "!#$%&'*+-.^_`|~",
        ]
        .map { HTTPCase("the method \($0)", "\($0) {path} HTTP/1.1\r\nHost: x\r\n\r\n", 405) }
        + [
            HTTPCase("HEAD has no body", "HEAD /last HTTP/1.1\r\nHost: x\r\n\r\n", 200),
            HTTPCase("HEAD of what only takes posts", "HEAD {path} HTTP/1.1\r\nHost: x\r\n\r\n", 405),
            HTTPCase("OPTIONS", "OPTIONS {path} HTTP/1.1\r\nHost: x\r\n\r\n", 204),
            refused("CONNECT", "CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n", 501),
            refused("no method", Text.plain(line: " {path} HTTP/1.1")),
        ]
        + separators.filter { $0 != " " }
        .map { refused("a method with \($0)", Text.plain(line: "PO\($0)ST {path} HTTP/1.1")) }

    static let requestLines = [
        refused("two spaces before the target", Text.plain(line: "POST  {path} HTTP/1.1")),
        refused("two spaces behind the target", Text.plain(line: "POST {path}  HTTP/1.1")),
        refused("a space in front", Text.plain(line: " POST {path} HTTP/1.1")),
        refused("a space at the end", Text.plain(line: "POST {path} HTTP/1.1 ")),
        refused("a tab instead of the first space", Text.plain(line: "POST\t{path} HTTP/1.1")),
        refused("a tab instead of the second space", Text.plain(line: "POST {path}\tHTTP/1.1")),
        refused("no target", Text.plain(line: "POST HTTP/1.1")),
        refused("an empty target", Text.plain(line: "POST  HTTP/1.1")),
        refused("no version", "GET /last\r\n\r\n"),
        refused("a word", "nonsense\r\n\r\n"),
        refused("the beginning of TLS", "\u{16}\u{3}\u{1}\r\n\r\n"),
        HTTPCase("an empty line in front", "\r\n" + Text.plain(), 201),
        HTTPCase("three empty lines in front", "\r\n\r\n\r\n" + Text.plain(), 201),
        HTTPCase("an empty line between requests", Text.plain() + "\r\n" + Text.plain(), 201, 201),
        refused("a bare LF in front", "\n" + Text.plain()),
        refused("a field in front", "X: y\r\n" + Text.plain()),
        refused("a request line that ends with LF", Text.plain().replacing(" HTTP/1.1\r\n", with: " HTTP/1.1\n")),
        refused("a request line that ends with CR", Text.plain().replacing(" HTTP/1.1\r\n", with: " HTTP/1.1\r")),
        refused("a request line that ends with CR CR LF", Text.plain(line: "\(Text.post)\r")),
    ]

    static let targets =
        [
            HTTPCase("a query", Text.plain(line: "POST {path}?x=1 HTTP/1.1"), 201),
            HTTPCase("an empty query", Text.plain(line: "POST {path}? HTTP/1.1"), 201),
            HTTPCase("absolute form", Text.plain(line: "POST http://x{path} HTTP/1.1"), 201),
            HTTPCase("absolute form with a port", Text.plain(line: "POST http://x:8080{path} HTTP/1.1"), 201),
            HTTPCase("absolute form with https", Text.plain(line: "POST https://x{path} HTTP/1.1"), 201),
            HTTPCase("absolute form in upper case", Text.plain(line: "POST HTTP://X{path} HTTP/1.1"), 201),
            HTTPCase("absolute form with another host", Text.plain(line: "POST http://y.example{path} HTTP/1.1"), 201),
            HTTPCase(
                "absolute form with an IPv6 address", Text.plain(line: "POST http://[::1]:80{path} HTTP/1.1"), 201),
            HTTPCase("absolute form with a query", Text.plain(line: "POST http://x{path}?y HTTP/1.1"), 201),
            HTTPCase("absolute form without a path", Text.plain(line: "POST http://x HTTP/1.1"), 404),
            HTTPCase("absolute form with only a query", Text.plain(line: "POST http://x?y HTTP/1.1"), 404),
            refused("absolute form without a host", Text.plain(line: "POST http://{path} HTTP/1.1")),
            refused("absolute form with a user", Text.plain(line: "POST http://u:p@x{path} HTTP/1.1")),
            refused("absolute form with a bad port", Text.plain(line: "POST http://x:a{path} HTTP/1.1")),
            refused("absolute form of another scheme", Text.plain(line: "POST ftp://x{path} HTTP/1.1")),
            refused("absolute form with one slash", Text.plain(line: "POST http:/x{path} HTTP/1.1")),
            refused("authority form", Text.plain(line: "POST x:80 HTTP/1.1")),
            refused("a path without a slash", Text.plain(line: "POST last HTTP/1.1")),
            refused("an asterisk", Text.plain(line: "POST * HTTP/1.1")),
            HTTPCase("OPTIONS *", "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 204),
            refused("OPTIONS *x", "OPTIONS *x HTTP/1.1\r\nHost: x\r\n\r\n"),
            refused("a fragment", Text.plain(line: "POST {path}#a HTTP/1.1")),
            refused("a fragment of an absolute form", Text.plain(line: "POST http://x{path}#a HTTP/1.1")),
            refused("bytes beyond ASCII", Text.plain(line: "POST {path}?\u{E4} HTTP/1.1")),
            HTTPCase("another path", Text.plain(line: "POST /nothing HTTP/1.1"), 404),
            HTTPCase("dots", Text.plain(line: "POST /x/..{path} HTTP/1.1"), 404),
            HTTPCase("a parameter of the path", Text.plain(line: "POST {path};x HTTP/1.1"), 404),
            HTTPCase("another case", Text.plain(line: "POST /X{path} HTTP/1.1"), 404),
        ]
        + controls.map { refused("a target with \($0)", Text.plain(line: "POST {path}\(character($0)) HTTP/1.1")) }

    static let versions =
        ["HTTP/2.0", "HTTP/1.2", "HTTP/0.9", "HTTP/3.0", "HTTP/1.9"]
        .map { refused($0, Text.plain(line: "POST {path} \($0)"), 505) }
        + [
            "http/1.1", "Http/1.1", "HTTP/1", "HTTP/1.", "HTTP/11", "HTTP/1.1.1", "HTTP/01.1", "HTTP/1.10", "HTTP/a.b",
            "XTTP/1.1", "HTTP/ 1.1", "HTTP 1.1",
        ]
        .map { refused("the version \($0)", Text.plain(line: "POST {path} \($0)")) }
        + [
            refused("the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
            HTTPCase("HTTP/1.0", Text.plain(line: "POST {path} HTTP/1.0"), 201, ends: true),
            HTTPCase("HTTP/1.0 without a host", Text.plain(line: "POST {path} HTTP/1.0", host: ""), 201, ends: true),
            HTTPCase(
                "HTTP/1.0 that wants to stay",
                Text.plain("Connection: keep-alive\r\n", line: "POST {path} HTTP/1.0"), 201, ends: true),
            HTTPCase("a get of HTTP/1.0", "GET /last HTTP/1.0\r\n\r\n", 200, ends: true),
            HTTPCase(
                "HTTP/1.0 knows no expectation", Text.plain("Expect: 100-continue\r\n", line: "POST {path} HTTP/1.0"),
                201,
                ends: true),
            refused(
                "HTTP/1.0 with two hosts", Text.plain(line: "POST {path} HTTP/1.0", host: "Host: x\r\nHost: x\r\n")),
            refused(
                "HTTP/1.0 knows no chunks",
                Text.plain(
                    line: "POST {path} HTTP/1.0", length: "Transfer-Encoding: chunked\r\n", body: Text.chunkedBody)),
        ]

    // MARK: Fields

    static let hosts =
        [
            "x", "X", "x.example", "localhost:8081", "127.0.0.1", "127.0.0.1:1", "[::1]", "[::1]:8081", "x:", "", "a_b",
            "%41",
        ]
        .map { HTTPCase("the host '\($0)'", Text.plain(host: "Host: \($0)\r\n"), 201) }
        + [
            "a b", "a/b", "a?b", "a#b", "u@a", "a,b", "a:b", "a:1:2", "a:123456", "[::1", "[]", "[g]", "[::1]x", ":80",
            "http://x", "a\\b", "\u{E4}", "a\"b", "<a>",
        ]
        .map { refused("the host '\($0)'", Text.plain(host: "Host: \($0)\r\n")) }
        + [
            refused("no host", Text.plain(host: "")),
            refused("two hosts", Text.plain(host: "Host: x\r\nHost: y\r\n")),
            refused("the same host twice", Text.plain(host: "Host: x\r\nhost: x\r\n")),
            refused("an empty host and one", Text.plain(host: "Host:\r\nHost: x\r\n")),
            HTTPCase("the field's name in upper case", Text.plain(host: "HOST: x\r\n"), 201),
            HTTPCase("a name that is nearly the host's", Text.plain("Hos\u{74}s: y\r\n"), 201),
            refused("a get without a host", "GET /last HTTP/1.1\r\n\r\n"),
            refused("a get with two hosts", "GET /last HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
        ]

    static let fields =
        separators.map { refused("a name with '\($0)'", Text.plain("X\($0)A: b\r\n")) }
        + "!#$%&'*+-.^_`|~09azAZ".map { HTTPCase("a name with '\($0)'", Text.plain("X\($0)A: b\r\n"), 201) }
        + controls.map { refused("a value with \($0)", Text.plain("X-A: b\(character($0))c\r\n")) }
        + controls.prefix(4).map { refused("a name with \($0)", Text.plain("X\(character($0))A: b\r\n")) }
        + [
            HTTPCase("an empty value", Text.plain("X-A:\r\n"), 201),
            HTTPCase("a value of blanks", Text.plain("X-A: \t \r\n"), 201),
            HTTPCase("no blank before the value", Text.plain("X-A:b\r\n"), 201),
            HTTPCase("tabs around a value", Text.plain("X-A:\tb\t\r\n"), 201),
            HTTPCase("a tab in a value", Text.plain("X-A: b\tc\r\n"), 201),
            HTTPCase("bytes beyond ASCII in a value", Text.plain("X-A: \u{E9}\u{FF}\r\n"), 201),
            HTTPCase("a colon in a value", Text.plain("X-A: b:c\r\n"), 201),
            HTTPCase("a field twice", Text.plain("X-A: b\r\nX-A: c\r\n"), 201),
            HTTPCase("a bad request id", Text.plain("X-Request-Id: a b\r\n"), 201),
            HTTPCase("an upgrade to something else", Text.plain("Connection: Upgrade\r\nUpgrade: h2c\r\n"), 201),
            HTTPCase("an upgrade alone", Text.plain("Upgrade: foo\r\n"), 201),
            refused("no name", Text.plain(": b\r\n")),
            refused("no colon", Text.plain("X-A\r\n")),
            refused("a blank before the colon", Text.plain("X-A : b\r\n")),
            refused("a tab before the colon", Text.plain("X-A\t: b\r\n")),
            refused("a blank before the name", Text.plain(" X-A: b\r\n")),
            refused("a folded value", Text.plain("X-A: b\r\n c\r\n")),
            refused("a value folded with a tab", Text.plain("X-A: b\r\n\tc\r\n")),
            refused("a bare CR in a value", Text.plain("X-A: b\rc\r\n")),
            refused("a bare LF behind a value", Text.plain("X-A: b\n")),
            refused("a bare LF in a value", Text.plain("X-A: b\nX-B: c\r\n")),
            refused("a blank line of blanks", Text.plain(" \r\n")),
            refused("a name beyond ASCII", Text.plain("X\u{E4}: b\r\n")),
            refused("LF alone everywhere", Text.plain().replacing("\r\n", with: "\n")),
            HTTPCase("no user", Text.plain().replacing("X-User-Id: 7\r\n", with: ""), 401),
            HTTPCase("two users", Text.plain("X-User-Id: 8\r\n"), 401),
        ]

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
        HTTPCase("an expectation whose body is there", Text.plain("Expect: 100-continue\r\n"), 201),
        HTTPCase("an expectation in upper case", Text.plain("Expect: 100-CONTINUE\r\n"), 201),
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
