import Testing

@testable import ChatEventBus

@Suite(.timeLimit(.minutes(2))) struct PublicationWatchTests {
    private let start = ContinuousClock.now

    @Test func `a refusal lasts until a batch is accepted`() {
        var watch = PublicationWatch()
        #expect(watch.refusal == nil)
        let warning = watch.record(refused: 2, reason: "NOPERM", now: start)
        #expect(warning == PublicationWatch.Warning(reason: "NOPERM", count: 2))
        #expect(watch.refusal == "NOPERM")
        let none = watch.record(refused: 0, reason: nil, now: start)
        #expect(none == nil && watch.refusal == nil)
    }

    @Test func `a warning comes once a minute with the number of all refusals`() {
        var watch = PublicationWatch()
        _ = watch.record(refused: 1, reason: "OOM", now: start)
        let early = (1...59).map { watch.record(refused: 3, reason: "OOM", now: start + .seconds($0)) }
        #expect(early.allSatisfy { $0 == nil })
        let late = watch.record(refused: 1, reason: "MISCONF", now: start + .seconds(60))
        #expect(late == PublicationWatch.Warning(reason: "MISCONF", count: 178))
    }
}
