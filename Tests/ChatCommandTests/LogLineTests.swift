import Testing

@testable import ChatCommand

@Suite("A line of a server's log", .timeLimit(.minutes(2)))
struct LogLineTests {
    @Test("warnings and errors are shown, in both formats")
    func shown() {
        let json =
            #"{"time":"t","level":"error","service":"s","logger":"l","message":"no","metadata":{"a":"b","status":503}}"#
        #expect(LogLine(json)?.warning == "error: no a=b status=503")
        #expect(LogLine("2026-01-01T00:00:00.000Z WARNING chat: beware x=1")?.warning == "warning: chat: beware x=1")
    }

    @Test(
        "the rest is not",
        arguments: [
            #"{"level":"warning","message":"GET /health/ready 503","metadata":{"status":503}}"#,
            "2026-01-01T00:00:00.000Z WARNING chat: GET /health/ready 503 method=GET",
            "", "{", #"{"level":"info","message":"m"}"#, "2026-01-01T00:00:00.000Z INFO chat: WARNING", "free text",
        ])
    func hidden(line: String) {
        #expect(LogLine(line)?.warning == nil)
    }

    @Test("metadata that is no text does not hide the warning")
    func nested() {
        let json = #"{"level":"warning","message":"m","metadata":{"a":{"b":"c"}}}"#
        #expect(LogLine(json)?.warning?.hasPrefix("warning: m") == true)
    }
}
