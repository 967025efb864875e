/// Which tests of a run have begun and not ended, read from what Swift Testing prints.
///
/// A run moves while tests begin and end. Other output does not count: a test that hangs may go on logging.
struct TestProgress {
    /// Without a test that begins or ends for so long, a run has stalled. A little more than the longest time limit of a
    /// test (`.timeLimit(.minutes(2))`), so that the limit speaks first.
    static let stallLimit = Duration.seconds(135)

    private var pendingNames: [String] = []
    private var lastMovement: ContinuousClock.Instant
    private var isRunning = false

    init(start: ContinuousClock.Instant) { lastMovement = start }

    /// Takes a whole line of the run's output.
    mutating func read(line: some StringProtocol, at now: ContinuousClock.Instant) {
        switch Self.step(in: Substring(line)) {
        case .runBegan:
            isRunning = true
        case .began(let name):
            pendingNames.append(name)
        case .ended(let name):
            if let index = pendingNames.lastIndex(of: name) { pendingNames.remove(at: index) }
            // Its cases, where an argument had a line feed in it: their ends are not known again.
            let cases = " to \(name.dropFirst("Test ".count))"
            pendingNames.removeAll { $0.hasPrefix("Test case passing ") && $0.hasSuffix(cases) }
        case .runEnded:
            pendingNames = []
            isRunning = false
        case nil:
            return
        }
        lastMovement = now
    }

    /// The tests and suites under way, in the order in which they began.
    var pending: [String] { pendingNames }

    /// Whether tests run and none of them has begun or ended for too long.
    func isStalled(at now: ContinuousClock.Instant) -> Bool {
        isRunning && now - lastMovement >= Self.stallLimit
    }

    // MARK: Lines

    private enum Step: Equatable {
        case runBegan, runEnded
        case began(String)
        case ended(String)
    }

    /// What a line says: `◇ Test name() started.`, `✔ Suite Name passed after 0.1 seconds.`, `✘ Test "What holds" with 3
    /// test cases failed after 2 seconds with 1 issue.`, `✔ Test run with 2 tests in 1 suite passed after …`.
    private static func step(in line: Substring) -> Step? {
        let words = line.split(separator: " ", maxSplits: 2)
        // The first word is a symbol.
        guard words.count == 3, words[0].count == 1, words[1] == "Test" || words[1] == "Suite" else { return nil }
        let kind = words[1]
        let rest = words[2]
        if rest == "run started." { return .runBegan }
        if kind == "Test", rest.hasPrefix("run with "), outcome(in: rest) != nil { return .runEnded }
        if rest.hasSuffix(" started.") { return .began("\(kind) \(rest.dropLast(" started.".count))") }
        guard let end = outcome(in: rest) else { return nil }
        return .ended("\(kind) \(withoutCaseCount(rest[..<end]))")
    }

    /// Where the outcome begins in the words after a name.
    private static func outcome(in text: Substring) -> Substring.Index? {
        for verb in [" passed after ", " failed after ", " skipped"] {
            // The last one: a test's own name may hold these words, too.
            if let range = text.ranges(of: verb).last { return range.lowerBound }
        }
        return nil
    }

    private static func withoutCaseCount(_ name: Substring) -> Substring {
        guard name.hasSuffix(" test case") || name.hasSuffix(" test cases"),
            let range = name.ranges(of: " with ").last
        else { return name }
        return name[..<range.lowerBound]
    }
}
