import ChatLocalStack
import Foundation
import NIOCore

extension Fault {
    private static let lostByPostgres = "acknowledged and lost by PostgreSQL"
    private static let knewLost = "logs at sessions with lost events"
    private static let uninformed = "logs at sessions not informed of the loss"
    private static let notSetBack = "memberships not set back"
    private static let informedMilliseconds = "ms until all were informed"
    /// The contract's bound from when PostgreSQL answers again.
    private static let longestToInform = 10_000

    /// PostgreSQL comes back with a copy of its data, and the logs go on with other events until they are beyond the lost
    /// ones: only marks distinguish them from the logs that the sessions know.
    static let setBack = setBack()

    /// - Parameter checksMarks: whether sessions take notice when they are informed; without, their history has to be reported
    ///   as a loss.
    static func setBack(checksMarks: Bool = true, messages: Int = 5000) -> Fault {
        Fault(
            name: "postgres-set-back",
            summary:
                "PostgreSQL comes back with a copy that lacks the last 2 s, and the logs are beyond the lost ones before "
                + "WebSocket servers reach it",
            // The answers to edits and joins have no `seq` by which it could be decided whether PostgreSQL lost them.
            shape: LoadShape(
                messages: messages, changeEvery: 0, churners: 0, libraryClients: checksMarks ? 1 : 0,
                checksMarks: checksMarks),
            bounds: .init(delay: .outage(plus: .seconds(15))),
            signs: [
                .noted(lostByPostgres).required, .noted(knewLost).required,
                .closed(with: History.lostLogCode).required, .logsReset.required, .postgresReconnects.required,
            ],
            inflict: setBack,
            examine: { history, stage in
                let lost = HistoryCheck(history).lostByPostgres
                let uninformed = stage.notes[uninformed] ?? 0
                let milliseconds = stage.notes[informedMilliseconds] ?? 0
                let memberships = stage.notes[notSetBack] ?? 0
                return [
                    Measure(text: "\(lost) of them missing in the new logs", isWithinBound: lost > 0),
                    Measure(
                        text: "\(uninformed) logs not reset at sessions within 20 s", isWithinBound: uninformed == 0),
                    Measure(
                        text: String(format: "all informed within %.1f s (bound 10)", Double(milliseconds) / 1000),
                        isWithinBound: milliseconds <= longestToInform),
                    Measure(
                        text: "\(memberships) of 2 memberships not set back at user sockets",
                        isWithinBound: memberships == 0),
                ]
            })
    }

    private static func setBack(_ stage: FaultStage) async throws {
        let (load, postgres) = (stage.load, stage.processes.postgres)
        let folder = "\(stage.processes.folder)/backup-\(UUID().uuidString.prefix(8))"
        // Nothing is under way while the copy is made and when it comes back, so that it is known what is lost.
        try await stage.pausePosting()
        let heads = try await stage.heads()
        try await postgres.backUp(to: folder)
        try await stage.stack.waitUntilReady(within: .seconds(30))
        let copied = NIODeadline.now().uptimeNanoseconds

        try await stage.resumePosting()
        try await load.changeMemberships()
        try await stage.last(.seconds(2))
        try await stage.pausePosting()
        // A server may hold back a `read` for a second. One of the lost log must not come after it.
        try await stage.last(.milliseconds(1500))

        try await load.expectLogLoss()
        let lostHeads = try await stage.heads()
        // These sessions come back by themselves; the others are informed by their server.
        try await load.cutSessions(10)
        // A WebSocket server that saw the shorter log would need no mark to know that it is another one.
        try await stage.stack.postgresOfWebSocketServers.set(.cut)
        try await postgres.setBack(to: folder)
        let loss = History.LogLoss(heads: heads, lagBegan: copied, at: NIODeadline.now().uptimeNanoseconds)
        stage.note(knewLost, try await load.logsBeyond(heads))
        _ = try await load.noteLogLoss(loss)
        stage.libraryClients.noteLogLoss(.init(kept: heads, lost: lostHeads))
        try await stage.resumePosting()
        try await load.waitUntilPosted(beyond: lostHeads, since: loss.at, within: .seconds(60))
        try await stage.stack.postgresOfWebSocketServers.set(.pass)
        let answered = ContinuousClock.now

        let patience = Duration.seconds(load.shape.checksMarks ? 20 : 3)
        stage.note(uninformed, try await load.waitUntilInformed(within: patience))
        let time = ContinuousClock.now - answered
        stage.note(informedMilliseconds, Int(time / .milliseconds(1)))
        stage.note(notSetBack, try await load.waitUntilMembershipsAreSetBack(within: patience))
        stage.note(lostByPostgres, try await load.acknowledged(between: copied, and: loss.at).lost)
    }
}
