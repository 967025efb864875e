import CommonUtil
import Logging
import Synchronization
import Testing

@testable import CommonLogging

/// Keeps the lines.
private final class MemoryLogOutput: LogOutput {
    private let written = Mutex<[[UInt8]]>([])

    func write(_ line: [UInt8]) { written.withLock { $0.append(line) } }
    var lines: [String] { written.withLock { $0.map { String(decoding: $0, as: UTF8.self) } } }
}

@Suite(.timeLimit(.minutes(2))) struct StructuredLogHandlerTests {
    private let output = MemoryLogOutput()

    private func logger(_ format: LogFormat, level: LogLevel = .info) -> Logger {
        Logger(label: "unit") { label in
            StructuredLogHandler(label: label, service: "Test", level: level, format: format, output: output)
        }
    }

    /// The only line, parsed, without its line feed.
    private func json() throws -> JSONObject {
        let line = try #require(output.lines.first)
        #expect(output.lines.count == 1)
        #expect(line.hasSuffix("\n") && !line.dropLast().contains("\n"))
        guard case .object(let members) = try JSONParser.parse(Array(line.dropLast().utf8)) else { return [:] }
        return members
    }

    @Test func `a JSON line has its parts`() throws {
        var logger = logger(.json)
        logger[metadataKey: "a"] = "handler"
        logger[metadataKey: "b"] = "handler"
        logger.info("hello \"world\"\n", metadata: ["b": "call", "list": ["1", ["k": "v"]]])
        let line = try json()
        #expect(line["level"] == .string("info") && line["service"] == .string("Test"))
        #expect(line["logger"] == .string("unit") && line["message"] == .string("hello \"world\"\n"))
        #expect(
            line["metadata"]
                == .object([
                    "a": .string("handler"), "b": .string("call"),
                    "list": .array([.string("1"), .object(["k": .string("v")])]),
                ]))
        guard case .string(let time)? = line["time"] else { throw ChatError(.internalError) }
        #expect(time.utf8.count == 24 && time.hasSuffix("Z"))
    }

    @Test func `numbers and booleans stay what they are`() throws {
        logger(.json).info(
            "x",
            metadata: [
                "status": .stringConvertible(503), "milliseconds": .stringConvertible(1.25),
                "large": .stringConvertible(UInt64.max), "isOpen": .stringConvertible(true),
                "odd": .stringConvertible(Double.nan), "text": "503",
            ])
        #expect(
            try json()["metadata"]
                == .object([
                    "status": .number("503"), "milliseconds": .number("1.25"), "large": .number("18446744073709551615"),
                    "isOpen": .bool(true), "odd": .string("nan"), "text": .string("503"),
                ]))
    }

    @Test(arguments: LogFormat.allCases)
    func `secrets are masked`(format: LogFormat) throws {
        logger(format).info(
            "x",
            metadata: [
                "Authorization": "hunter2", "accessToken": "hunter2", "db": ["password": "hunter2", "host": "seen"],
                "set-cookie": .stringConvertible("hunter2"), "CLIENT_SECRET": ["hunter2"],
            ])
        let line = try #require(output.lines.first)
        #expect(!line.contains("hunter2"))
        #expect(line.contains("seen") && line.contains("***"))
    }

    @Test(arguments: LogFormat.allCases)
    func `lines are bounded`(format: LogFormat) throws {
        let metadata = Dictionary(
            uniqueKeysWithValues: (0..<1_000).map {
                ("key\($0)", Logger.MetadataValue.string(String(repeating: "é", count: 9_999)))
            })
        logger(format).info("\(String(repeating: "é", count: 100_000))", metadata: metadata)
        let line = try #require(output.lines.first)
        #expect(line.utf8.count < 2 * LogRecord.maximumLineBytes)
        if format == .json { #expect(try json()["message"] != nil) }
    }

    @Test func `a text line stays one line`() throws {
        logger(.text).warning("a\nb\u{1B}[31m", metadata: ["plain": "v", "odd": "two words\n"])
        let line = try #require(output.lines.first)
        #expect(line.hasSuffix(#" WARNING unit: a\nb\u{1B}[31m odd="two words\n" plain=v"# + "\n"))
    }

    @Test func `nothing is written below the level`() {
        logger(.json, level: .warning).info("x")
        #expect(output.lines.isEmpty)
    }

    @Test func `request lines have no query`() throws {
        let log = RequestLog(
            method: "GET", pathAndQuery: "/ws/chat?access_token=hunter2", status: 503, duration: .microseconds(1_500))
        log.write(to: logger(.json))
        let line = try json()
        #expect(line["message"] == .string("GET /ws/chat 503") && line["level"] == .string("warning"))
        #expect(!output.lines[0].contains("hunter2"))
        #expect(output.lines[0].contains(#""milliseconds":1.5,"#))
    }

    @Test(arguments: [
        (200, Logger.Level.debug), (304, .debug), (404, .info), (499, .info), (500, .warning), (503, .warning),
    ])
    func `a request's level follows its status`(status: Int, level: Logger.Level) {
        #expect(RequestLog(method: "GET", pathAndQuery: "/", status: status, duration: .zero).level == level)
    }

    struct LeakyError: Error, CustomStringConvertible {
        let description: String
    }

    @Test(arguments: [
        "connect postgres://chat:hunter2@db/chat failed", "password=hunter2 host=x", "password = 'hunter2 x' host=x",
        #"{"password": "hunter2"}"#, "Authorization: Bearer hunter2", "bad token: eyJhbGciOi.eyJzdWIi.hunter2",
        "refresh_token=hunter2",
    ])
    func `error texts are redacted`(text: String) {
        let shown = SecretRedactor.text(of: LeakyError(description: text))
        #expect(!shown.contains("hunter2"))
        #expect(shown.hasPrefix("LeakyError: "))
    }

    @Test func `error texts are one bounded line`() {
        let shown = SecretRedactor.text(of: LeakyError(description: String(repeating: "a\n", count: 5_000)))
        #expect(shown.count == 500 && !shown.contains("\n"))
    }
}
