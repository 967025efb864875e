/// The cases that both ways of a request have to answer alike (RFC 9110, RFC 9112).
enum HTTPCases {
    static let all =
        plain + methods + requestLines + targets + versions + hosts + fields + lengths + codings + chunks + trailers
        + connections + expectations + bodies + sizes + sequences

    typealias Text = RequestText

    /// The ASCII characters that are neither of a token nor a control character.
    static let separators = "\"(),/;<=>?@[\\]{} "
    static let controls = (0...0x1F).filter { $0 != 0x09 && $0 != 0x0A && $0 != 0x0D } + [0x7F]

    static func refused(_ name: String, _ text: String, _ status: Int = 400) -> HTTPCase {
        HTTPCase(name, text, status, ends: true)
    }

    static func character(_ code: Int) -> String { String(UnicodeScalar(UInt8(code))) }

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
            refused("CONNECT with a path", "CONNECT /x HTTP/1.1\r\nHost: x\r\n\r\n", 501),
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
}
