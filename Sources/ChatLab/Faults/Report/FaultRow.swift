import Foundation

/// One row of the table.
struct FaultRow: Codable, Equatable, Sendable {
    var fault: String
    var messages: Int
    var sessions: Int
    var acknowledged: Int
    /// Comings and goings of members that were acknowledged.
    var memberChanges = 0
    /// `read` frames that sessions sent.
    var reads = 0
    /// Files whose upload was acknowledged.
    var filesStored = 0
    /// Messages that name a file in the end.
    var filesNamed = 0
    var lost: Int
    var doubled: Int
    var reordered: Int
    /// Acknowledged messages that a standby lacked when it became the primary; not counted as `lost`.
    var lostByPostgres: Int?
    /// From the first attempt to send a message to its arrival at any session that was not made to stall.
    var longestDelaySeconds: Double
    var delayBoundSeconds: Double?
    /// How many times the bound a time may be in this run.
    var slack = 1
    /// From the first attempt to leave a room to the close of the socket there.
    var longestCloseDelaySeconds: Double?
    /// From the first attempt to come into a room, or to leave it, until the user's live socket reported it.
    var longestMembershipSeconds: Double?
    /// From the acknowledgement of a message to its arrival at each reader of the feed of changes.
    var longestFeedDelaySeconds: [String: Double] = [:]
    var outageSeconds: Double
    /// The counts that show that the fault took effect.
    var proof: [String]
    var measures: [String]
    /// Everything that is wrong; empty for a clean row.
    var problems: [String]
    /// The first flaws of the history in words.
    var examples: [String]
    var closes: [String: Int]

    var isClean: Bool { problems.isEmpty }
}

extension FaultRow {
    init(
        fault: Fault, history: History, evidence: FaultEvidence, measures: [Fault.Measure], outage: Duration,
        slack: Int = 1, problems: [String]
    ) {
        let check = HistoryCheck(history)
        let longest = Double(history.delays().maximum) / 1e9
        let closeDelay = history.visits.compactMap(\.closeDelay).max().map { Double($0) / 1e9 }
        let membership = history.membershipDelays.map(\.nanoseconds).max().map { Double($0) / 1e9 }
        let bound = fault.bounds.delay?.seconds(outage)
        let feedDelays = history.feedDelays.mapValues { Double($0) / 1e9 }
        self.init(
            fault: fault.name, messages: history.posts.count, sessions: Set(history.sessions.map(\.name)).count,
            acknowledged: history.acknowledged,
            memberChanges: history.memberChanges.count(where: \.isAcknowledged), reads: evidence.clients.reads,
            filesStored: history.filesStored, filesNamed: history.filesNamed,
            lost: check.count(.lost), doubled: check.count(.doubled),
            reordered: check.count(.reordered), lostByPostgres: history.logLoss.map { _ in check.lostByPostgres },
            longestDelaySeconds: Self.rounded(longest),
            delayBoundSeconds: bound.map(Self.rounded), slack: slack,
            longestCloseDelaySeconds: closeDelay.map(Self.rounded),
            longestMembershipSeconds: membership.map(Self.rounded),
            longestFeedDelaySeconds: feedDelays.mapValues(Self.rounded),
            outageSeconds: Self.rounded(outage / .seconds(1)),
            proof: fault.signs.map { "\($0.count(evidence)) \($0.label)" }, measures: measures.map(\.text),
            problems: problems, examples: check.examples, closes: evidence.clients.closes)

        for flaw in HistoryCheck.Flaw.allCases where check.count(flaw) > 0 {
            self.problems.append("\(check.count(flaw)) \(flaw.rawValue)")
        }
        for (name, delay) in feedDelays.sorted(by: { $0.key < $1.key }) {
            self.measures.append("\(name) after \(Self.rounded(delay)) s")
        }
        if fault.shape.uploaders > 0 { self.measures.append("\(filesStored) files stored, \(filesNamed) named") }
        checkDelays(fault, outage, longest: longest, close: closeDelay, membership: membership, feeds: feedDelays)
        checkRefusals(fault, evidence.clients)
        checkEffect(fault, evidence)
        for measure in measures where !measure.isWithinBound { self.problems.append("missed: \(measure.text)") }
        for (violation, count) in evidence.clients.violations.sorted(by: { $0.key < $1.key }) {
            self.problems.append("\(count) × \(violation)")
        }
        checkActivity(fault.shape, history)
    }

    private mutating func checkDelays(
        _ fault: Fault, _ outage: Duration, longest: Double, close: Double?, membership: Double?,
        feeds: [String: Double]
    ) {
        let latest = fault.bounds.delay.map { $0.seconds(outage) * Double(slack) } ?? .infinity
        if longest > latest { problems.append("delay bound missed") }
        if let close, close > latest {
            problems.append("the socket of a user who left was open for \(Self.rounded(close)) s")
        }
        if let membership, membership > latest {
            problems.append("a user socket reported a coming or going after \(Self.rounded(membership)) s")
        }
        let latestInFeed = fault.bounds.feedDelay.map { $0.seconds(outage) * Double(slack) } ?? .infinity
        for (name, delay) in feeds.sorted(by: { $0.key < $1.key }) where delay > latestInFeed {
            problems.append("\(name) had to wait for \(Self.rounded(delay)) s")
        }
    }

    private mutating func checkRefusals(_ fault: Fault, _ clients: ClientEvidence) {
        let (bound, uploadBound) = (fault.bounds.refused, fault.bounds.uploadsRefused ?? fault.bounds.refused)
        for (count, what, allowed) in [
            (clients.feedRefused, "readings of the feed", bound), (clients.refused, "posts", bound),
            (clients.othersRefused, "reads, comings and goings", bound),
            (clients.uploadsRefused, "uploads", uploadBound),
        ] {
            if let allowed, count > allowed { problems.append("\(count) \(what) refused, \(allowed) allowed") }
        }
    }

    private mutating func checkEffect(_ fault: Fault, _ evidence: FaultEvidence) {
        for sign in fault.signs where sign.isRequired && sign.count(evidence) == 0 {
            problems.append("the fault had no effect: no \(sign.label)")
        }
    }

    /// A load that did not do what it is there for proves nothing.
    private mutating func checkActivity(_ shape: LoadShape, _ history: History) {
        if shape.churners > 0, memberChanges == 0 { problems.append("nobody came or went") }
        if shape.churners > 0, shape.userSockets > 0, history.membershipDelays.isEmpty {
            problems.append("no user socket reported a coming or going")
        }
        if shape.readEvery > 0, !history.sessions.contains(where: { !$0.receipts.isEmpty }) {
            problems.append("no read was delivered")
        }
        if shape.uploaders > 0, filesStored == 0 { problems.append("no file was stored") }
        if shape.uploaders > 0, filesNamed == 0 { problems.append("no message names a file") }
        if acknowledged < shape.messages {
            problems.append("only \(acknowledged) of \(shape.messages) messages acknowledged")
        }
    }

    /// Adds what processes with a client library did.
    mutating func add(_ check: LibraryClientCheck, of name: String, _ summary: String) {
        measures.append("\(name): \(summary)")
        problems += check.problems.map { "\(name): \($0)" }
        examples += check.examples
    }

    /// A run that could not be finished.
    init(fault: Fault, failure: String) {
        self.init(
            fault: fault.name, messages: 0, sessions: 0, acknowledged: 0, lost: 0, doubled: 0, reordered: 0,
            longestDelaySeconds: 0, outageSeconds: 0, proof: [], measures: [],
            // One line of the table.
            problems: ["not run to its end: \(failure.split(separator: "\n").first ?? "")"], examples: [failure],
            closes: [:])
    }

    private static func rounded(_ seconds: Double) -> Double { (seconds * 1000).rounded() / 1000 }
}

/// The table that `chat-lab faults` prints: Markdown, aligned, so that it reads well in a terminal and in the README.
struct FaultTable {
    private static let heads = [
        "fault", "messages", "sessions", "acknowledged", "lost", "doubled", "reordered", "longest delay", "bound",
        "proof that it took effect", "verdict",
    ]

    let rows: [FaultRow]

    var text: String { MarkdownTable(heads: Self.heads, rows: rows.map(Self.cells)).text }

    private static func cells(_ row: FaultRow) -> [String] {
        [
            row.fault, "\(row.messages)", "\(row.sessions)", "\(row.acknowledged)", "\(row.lost)", "\(row.doubled)",
            "\(row.reordered)", seconds(row.longestDelaySeconds),
            bound(row),
            (row.proof + row.measures).joined(separator: ", "),
            row.isClean ? "ok" : "FAILED: " + row.problems.joined(separator: "; "),
        ]
    }

    private static func bound(_ row: FaultRow) -> String {
        guard let bound = row.delayBoundSeconds else { return "–" }
        return row.slack == 1
            ? "≤ \(seconds(bound))" : "≤ \(seconds(bound * Double(row.slack))) (\(row.slack) × \(seconds(bound)))"
    }

    private static func seconds(_ value: Double) -> String { String(format: "%.2f s", value) }

    /// Writes the rows as JSON.
    func write(json file: String) throws {
        try ReportFile.write(rows, to: file)
    }
}
