import Testing

@testable import ChatCommand

@Suite(.timeLimit(.minutes(2))) struct LogLineTests {
    @Test func `warnings and errors are shown, in both formats`() {
        let json =
            #"{"time":"t","level":"error","service":"s","logger":"l","message":"no","metadata":{"a":"b","status":503}}"#
        #expect(LogLine(json)?.warning == "error: no a=b status=503")
        #expect(LogLine("2026-01-01T00:00:00.000Z WARNING chat: beware x=1")?.warning == "warning: chat: beware x=1")
    }

    @Test(arguments: [
        #"{"level":"warning","message":"GET /health/ready 503","metadata":{"status":503}}"#,
        "2026-01-01T00:00:00.000Z WARNING chat: GET /health/ready 503 method=GET",
        "", "{", #"{"level":"info","message":"m"}"#, "2026-01-01T00:00:00.000Z INFO chat: WARNING", "free text",
    ])
    func `lines below warning, and what is no log line, are not shown`(line: String) {
        #expect(LogLine(line)?.warning == nil)
    }

    @Test func `metadata of other types does not hide the warning`() {
        let json = #"{"level":"warning","message":"m","metadata":{"a":{"b":"c"}}}"#
        #expect(LogLine(json)?.warning?.hasPrefix("warning: m") == true)
    }
}
