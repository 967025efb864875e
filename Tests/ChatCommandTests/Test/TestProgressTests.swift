import Testing

@testable import ChatCommand

@Suite(.timeLimit(.minutes(1))) struct TestProgressTests {
    private let start = ContinuousClock.now

    /// A line of the event stream, as Swift Testing writes it.
    private func event(_ kind: String, _ test: String? = nil) -> String {
        let id = test.map { #","testID":"\#($0)""# } ?? ""
        return
            #"{"kind":"event","payload":{"instant":{"absolute":1.5},"kind":"\#(kind)","messages":[]\#(id)},"version":0}"#
            + "\n"
    }

    private func progress(_ lines: String...) -> TestProgress {
        var progress = TestProgress(start: start)
        progress.read(lines.joined().utf8, at: start)
        return progress
    }

    @Test func `tests that have begun and not ended are pending, in their order`() {
        let progress = progress(
            #"{"kind":"test","payload":{"id":"M.S","kind":"suite","name":"S"},"version":0}"# + "\n",
            event("runStarted"),
            event("testStarted", "M.S"), event("testStarted", "M.S/fast()"), event("testEnded", "M.S/fast()"),
            event("testStarted", "M.S/slow()"), event("testCaseStarted", "M.S/slow()"),
            event("testSkipped", "M.S/never()"))
        #expect(progress.pending == ["M.S", "M.S/slow()"])
    }

    @Test func `the stream may be cut into any pieces`() {
        let stream = event("runStarted") + event("testStarted", "M.S/a()") + event("testStarted", "M.S/b()")
        var progress = TestProgress(start: start)
        for byte in stream.utf8 { progress.read([byte], at: start) }
        #expect(progress.pending == ["M.S/a()", "M.S/b()"])
    }

    @Test func `two minutes in which no test begins or ends are a stall, whatever is recorded meanwhile`() {
        var progress = progress(event("runStarted"), event("testStarted", "M.S/hangs()"))
        let almost = start + TestProgress.stallLimit - .milliseconds(1)
        progress.read("still here\n".utf8, at: almost)
        progress.read(event("issueRecorded", "M.S/hangs()").utf8, at: almost)
        #expect(!progress.isStalled(at: almost))
        #expect(progress.isStalled(at: start + TestProgress.stallLimit))
        progress.read(event("testCaseEnded", "M.S/hangs()").utf8, at: almost)
        #expect(!progress.isStalled(at: start + TestProgress.stallLimit))
    }

    @Test func `what comes before and after the tests is no stall`() {
        let hour = start + .seconds(3_600)
        #expect(!progress("").isStalled(at: hour))
        let over = progress(event("runStarted"), event("testStarted", "M.S/a()"), event("runEnded"))
        #expect(!over.isStalled(at: hour) && over.pending == [])
    }

    @Test func `tests run one at a time by default`() {
        #expect(
            TestCommand.arguments(for: ["--filter", "A"])
                == ["test", "--skip-build", "--disable-xctest", "--no-parallel", "--filter", "A"])
        #expect(!TestCommand.arguments(for: ["--parallel"]).contains("--no-parallel"))
    }
}
