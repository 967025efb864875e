import Testing

@testable import ChatEventBus

@Suite(.timeLimit(.minutes(2))) struct PublicationWatchTests {
    private let start = ContinuousClock.now

    @Test func aRefusalLastsUntilABatchIsTaken() {
        var watch = PublicationWatch()
        #expect(watch.refusal == nil)
        let warning = watch.note(refused: 2, reason: "NOPERM", now: start)
        #expect(warning == PublicationWatch.Warning(reason: "NOPERM", count: 2))
        #expect(watch.refusal == "NOPERM")
        let none = watch.note(refused: 0, reason: nil, now: start)
        #expect(none == nil && watch.refusal == nil)
    }

    @Test func itIsSaidOnceAMinuteWithTheNumberOfAll() {
        var watch = PublicationWatch()
        _ = watch.note(refused: 1, reason: "OOM", now: start)
        let early = (1...59).map { watch.note(refused: 3, reason: "OOM", now: start + .seconds($0)) }
        #expect(early.allSatisfy { $0 == nil })
        let late = watch.note(refused: 1, reason: "MISCONF", now: start + .seconds(60))
        #expect(late == PublicationWatch.Warning(reason: "MISCONF", count: 178))
    }
}
