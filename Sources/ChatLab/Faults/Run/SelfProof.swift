import ChatLocalStack
import NIOCore

/// Proves that the suite detects errors: each of several mistakes, made on purpose in real runs, has to be reported.
struct SelfProof: Sendable {
    struct Finding: Sendable, Codable, Equatable {
        var mistake: String
        /// The flaw that must be found.
        var expected: String
        var found: Int
        var problems: [String]

        var isReported: Bool { found > 0 && !problems.isEmpty }

        var text: String {
            let what = problems.isEmpty ? "nothing was reported" : problems.joined(separator: "; ")
            return "  \(isReported ? "noticed " : "MISSED  ") \(mistake): \(what)"
        }
    }

    let stack: FaultStack
    let eventLoop: any EventLoop
    /// The slack of the runs that must be completed.
    let slack: Int

    private static let calm = Fault(
        name: "calm", summary: "Nothing goes wrong", shape: .small, signs: [], inflict: { _ in })

    func run() async throws -> [Finding] {
        // A run without a mistake must be clean, or a report of a mistake proves nothing.
        let calm = try await FaultRun(fault: Self.calm, stack: stack, eventLoop: eventLoop, slack: slack).run()
        guard calm.row.isClean else {
            throw LocalStackError(
                "A run without any fault is not clean: "
                    + (calm.row.problems + calm.row.examples).joined(separator: "; "))
        }
        var findings = HistoryTampering.allCases.map { tampering in
            var history = calm.history
            let isDone = tampering.apply(to: &history)
            let row = FaultRow(
                fault: Self.calm, history: history, evidence: FaultEvidence(), measures: [], outage: .zero, problems: []
            )
            return Finding(
                mistake: tampering.summary, expected: tampering.flaw.rawValue,
                found: isDone ? HistoryCheck(history).count(tampering.flaw) : 0, problems: row.problems)
        }
        findings += try await repeatingAnUnkeyedPost()
        findings.append(try await withoutPolling())
        findings.append(try await withoutMarks())
        return findings + (try await mistakesOfLibraries())
    }

    /// A client that sends a post without key again, and in the same run a store that loses two files.
    private func repeatingAnUnkeyedPost() async throws -> [Finding] {
        var fault = Self.calm
        fault.name = "unkeyed-post-repeated"
        fault.shape.repeatsAnUnkeyedPost = true
        fault.shape.losesFiles = true
        let row = try await FaultRun(fault: fault, stack: stack, eventLoop: eventLoop, slack: slack).run().row
        let lost = "the store loses a file that a message names, and one that none names"
        return [
            Finding(
                mistake: "a post without key is repeated", expected: HistoryCheck.Flaw.doubled.rawValue,
                found: row.doubled, problems: row.problems),
            Finding(
                mistake: lost, expected: HistoryCheck.Flaw.lost.rawValue, found: row.lost == 2 ? 2 : 0,
                problems: row.problems),
        ]
    }

    /// PostgreSQL is set back, and sessions behave as if no server had said that a log is another one.
    private func withoutMarks() async throws -> Finding {
        var run = FaultRun(fault: .setBack(checksMarks: false, messages: 2000), stack: stack, eventLoop: eventLoop)
        run.settling = .seconds(5)
        let row = try await run.run().row
        return Finding(
            mistake: "PostgreSQL is set back, and sessions are not informed", expected: HistoryCheck.Flaw.lost.rawValue,
            found: row.lost, problems: row.problems)
    }

    /// Client libraries of each language that make a mistake each, killed again and again.
    private func mistakesOfLibraries() async throws -> [Finding] {
        var run = FaultRun(fault: .mistakenClients, stack: stack, eventLoop: eventLoop)
        run.settlingOfLibraries = .seconds(5)
        let problems = try await run.run().row.problems
        return LibraryClient.Mistake.allCases.enumerated().flatMap { number, mistake in
            LibraryClient.Language.allCases.map { language in
                let name = LibraryClientLoad.name(language, number)
                let own = problems.filter { $0.hasPrefix("\(name): ") }
                return Finding(
                    mistake: "\(language.rawValue): \(mistake.summary)", expected: mistake.flaw.rawValue,
                    found: own.count { $0.hasSuffix(mistake.flaw.rawValue) }, problems: own)
            }
        }
    }

    /// Redis loses all pushes, and the WebSocket servers cannot read the log either.
    private func withoutPolling() async throws -> Finding {
        let fault = Fault(
            name: "polling-off", summary: "All pushes are lost and the log cannot be read", shape: .small,
            signs: [.pushesDropped],
            inflict: { stage in
                try await stage.stack.postgresOfWebSocketServers.set(.blackHole)
                try await stage.stack.redisOfWebSocketServers.set(.dropPushes(percent: 100))
            })
        var run = FaultRun(fault: fault, stack: stack, eventLoop: eventLoop)
        run.settling = .seconds(5)
        run.expectsReadiness = false
        let row: FaultRow
        do {
            row = try await run.run().row
        } catch {
            try? await stack.setAllLinks(.pass)
            throw error
        }
        try await stack.setAllLinks(.pass)
        return Finding(
            mistake: "polling is switched off while pushes are lost", expected: HistoryCheck.Flaw.lost.rawValue,
            found: row.lost, problems: row.problems)
    }
}

extension HistoryTampering {
    var summary: String {
        switch self {
        case .lose: "one event of one session is lost"
        case .double: "one event of one session is doubled"
        case .swap: "two events of one session are swapped"
        case .rewind: "a user is said to have read less than before"
        case .leak: "a user who has left gets one more event"
        case .forget: "PostgreSQL loses an event, and a session that had it is not closed with 4409"
        case .swapInFeed: "two events of the feed of changes come in another order to one reader"
        case .skipInFeed: "the feed of changes skips an event that was committed late"
        case .repeatInFeed: "a webhook delivers an event again in another delivery"
        case .loseNamedFile: "a message names a file whose bytes are not there"
        case .loseFile: "an acknowledged file that no message names is lost"
        case .leaveFile: "an upload that was cut off leaves bytes in the store"
        }
    }

    /// The flaw that the check must find.
    var flaw: HistoryCheck.Flaw {
        switch self {
        case .lose, .skipInFeed, .loseNamedFile, .loseFile: .lost
        case .double, .repeatInFeed: .doubled
        case .swap, .rewind, .swapInFeed: .reordered
        case .leak: .leaked
        case .forget: .uninformed
        case .leaveFile: .leftover
        }
    }
}
