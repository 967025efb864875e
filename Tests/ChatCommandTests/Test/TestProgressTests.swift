import Testing

@testable import ChatCommand

@Suite("The progress of a test run", .timeLimit(.minutes(1)))
struct TestProgressTests {
    private let start = ContinuousClock.now

    private func progress(_ lines: String...) -> TestProgress {
        var progress = TestProgress(start: start)
        for line in lines { progress.read(line: line, at: start) }
        return progress
    }

    @Test("What has begun and not ended is pending, in its order")
    func pending() {
        let progress = progress(
            "◇ Test run started.", #"◇ Suite "The listener" started."#, "◇ Test fast() started.",
            "◇ Test slow(_:) started.", #"◇ Test "Nothing is lost" started."#,
            "✔ Test fast() passed after 0.001 seconds.",
            #"✘ Test "Nothing is lost" failed after 2.5 seconds with 1 issue."#)
        #expect(progress.pending == [#"Suite "The listener""#, "Test slow(_:)"])
    }

    @Test("Tests with cases, skipped ones and those whose names tell of outcomes end as others do")
    func names() {
        let progress = progress(
            "◇ Test run started.", "◇ Test cases(_:) started.",
            "✔ Test cases(_:) with 3 test cases passed after 1.2 seconds.",
            #"◇ Test "It passed after a while" started."#, #"✔ Test "It passed after a while" passed after 1 seconds."#,
            #"➜ Test later() skipped: "no network""#, "◇ Suite Some started.", "✔ Suite Some passed after 3 seconds.")
        #expect(progress.pending == [])
    }

    @Test("Cases of a test are named while they run, and end with it")
    func cases() {
        let lines = [
            "◇ Test run started.", "◇ Test a(row:) started.",
            "◇ Test case passing 1 argument row → 1 to a(row:) started.",
            "✔ Test case passing 1 argument row → 1 to a(row:) passed after 0.1 seconds.",
            #"◇ Test case passing 1 argument row → "\n" to a(row:) started."#,
        ]
        var progress = TestProgress(start: start)
        for line in lines { progress.read(line: line, at: start) }
        #expect(progress.pending == ["Test a(row:)", #"Test case passing 1 argument row → "\n" to a(row:)"#])
        progress.read(line: "✔ Test a(row:) with 2 test cases passed after 0.1 seconds.", at: start)
        #expect(progress.pending == [])
    }

    @Test("Two minutes in which no test begins or ends are a stall, whatever is printed meanwhile")
    func stall() {
        var progress = progress("◇ Test run started.", "◇ Test hangs() started.")
        let almost = start + TestProgress.stallLimit - .milliseconds(1)
        progress.read(line: "still here", at: almost)
        progress.read(line: "✘ Test hangs() recorded an issue at A.swift:1:2: Time limit was exceeded", at: almost)
        #expect(!progress.isStalled(at: almost))
        #expect(progress.isStalled(at: start + TestProgress.stallLimit))
        progress.read(line: "◇ Test next() started.", at: almost)
        #expect(!progress.isStalled(at: start + TestProgress.stallLimit))
    }

    @Test("What comes before and after the tests is no stall")
    func outside() {
        let hour = start + .seconds(3_600)
        #expect(!progress("[1/2] Compiling").isStalled(at: hour))
        let over = progress(
            "◇ Test run started.", "◇ Test a() started.", "✔ Test a() passed after 1 seconds.",
            "✔ Test run with 1 test in 0 suites passed after 1 seconds.")
        #expect(!over.isStalled(at: hour) && over.pending == [])
    }

    @Test("Tests run one at a time unless told otherwise")
    func arguments() {
        #expect(
            TestCommand.arguments(for: ["--filter", "A"])
                == ["test", "--skip-build", "--disable-xctest", "--no-parallel", "--filter", "A"])
        #expect(!TestCommand.arguments(for: ["--parallel"]).contains("--no-parallel"))
    }
}
