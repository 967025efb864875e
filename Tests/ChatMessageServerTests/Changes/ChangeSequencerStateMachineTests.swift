import CommonUtil
import Testing

@testable import ChatMessageServer

@Suite(.timeLimit(.minutes(1))) struct ChangeSequencerStateMachineTests {
    private typealias Action = ChangeSequencerStateMachine.Action
    private typealias Step = ChangeSequencerStateMachine.Step
    private typealias Part = ChangeSequencerStateMachine.Part

    private let start = ContinuousClock.now
    private let timing = ChangeSequencerStateMachine.Timing()
    private let hall = RoomID(verified: "hall")
    private let attic = RoomID(verified: "attic")

    /// A holder whose first pass is complete, with hints, at 100 ms.
    private func settledHolder() -> ChangeSequencerStateMachine {
        var machine = ChangeSequencerStateMachine(timing: timing, now: start)
        _ = machine.leaseAnswered(isHeld: true, asked: start, now: start)
        machine.hintsChanged(isHinted: true, now: start)
        guard case .step(let step) = machine.next(now: start) else { return machine }
        machine.finished(step, last: nil, isRefused: false, began: start, now: start)
        return machine
    }

    private func after(_ milliseconds: Int) -> ContinuousClock.Instant { start + .milliseconds(milliseconds) }

    @Test func `a server asks for the lease, and without it again a second later`() {
        var machine = ChangeSequencerStateMachine(timing: timing, now: start)
        #expect(machine.next(now: start) == .acquire)
        #expect(machine.leaseAnswered(isHeld: false, asked: start, now: after(10)) == false)
        #expect(machine.next(now: after(20)) == .wait(until: after(1_010)))
        #expect(machine.next(now: after(1_010)) == .acquire)
        #expect(!machine.isHolder)
    }

    @Test func `a dead holder is replaced within five seconds`() {
        #expect(timing.lease + timing.attemptInterval <= .milliseconds(4_500))
        #expect(timing.renewal * 2 < timing.lease)
    }

    @Test func `a new holder passes through all rooms at once, part by part`() {
        var machine = ChangeSequencerStateMachine(timing: timing, now: start)
        #expect(machine.leaseAnswered(isHeld: true, asked: start, now: start) == true)
        let first = Step(hinted: [], part: Part(after: nil))
        #expect(machine.next(now: start) == .step(first))
        machine.finished(first, last: hall, isRefused: false, began: start, now: after(10))
        #expect(machine.next(now: after(11)) == .wait(until: after(60)))
        let second = Step(hinted: [], part: Part(after: hall))
        #expect(machine.next(now: after(60)) == .step(second))
        machine.finished(second, last: nil, isRefused: false, began: after(60), now: after(70))
        // Without hints passes follow each other soon.
        #expect(machine.next(now: after(250)) == .step(first))
    }

    @Test func `a hint is looked at after the shortest pause, and passes become rare`() {
        var machine = settledHolder()
        #expect(machine.next(now: after(50)) == .wait(until: after(100)))
        machine.hint([hall], now: after(60))
        #expect(machine.next(now: after(60)) == .step(Step(hinted: [hall], part: nil)))
        machine.finished(Step(hinted: [hall], part: nil), last: nil, isRefused: false, began: after(60), now: after(62))
        machine.hint([attic], now: after(63))
        #expect(machine.next(now: after(63)) == .wait(until: after(112)))
        #expect(machine.next(now: after(112)) == .step(Step(hinted: [attic], part: nil)))
        _ = machine.leaseAnswered(isHeld: true, asked: after(1_900), now: after(1_900))
        #expect(machine.next(now: after(2_000)) == .step(Step(hinted: [], part: Part(after: nil))))
    }

    @Test func `the longer a step takes the longer is the pause after it, within bounds`() {
        for (duration, pause) in [(1, 50), (20, 80), (60, 240), (5_000, 400)] {
            var machine = settledHolder()
            let began = after(60)
            machine.hint([hall], now: began)
            guard case .step(let step) = machine.next(now: began) else { return #expect(Bool(false)) }
            let end = began + .milliseconds(duration)
            _ = machine.leaseAnswered(isHeld: true, asked: end, now: end)
            machine.finished(step, last: nil, isRefused: false, began: began, now: end)
            machine.hint([attic], now: end)
            #expect(machine.next(now: end) == .wait(until: end + .milliseconds(pause)))
        }
    }

    @Test func `the holder extends the lease every second, also while it has work`() {
        var machine = settledHolder()
        machine.hint([hall], now: after(900))
        #expect(machine.next(now: after(1_000)) == .acquire)
        #expect(machine.leaseAnswered(isHeld: true, asked: after(1_000), now: after(1_001)) == false)
        #expect(machine.next(now: after(1_001)) == .step(Step(hinted: [hall], part: nil)))
    }

    @Test func `what is refused is followed by the question who holds the lease`() {
        var machine = settledHolder()
        machine.hint([hall], now: after(60))
        guard case .step(let step) = machine.next(now: after(60)) else { return #expect(Bool(false)) }
        machine.finished(step, last: nil, isRefused: true, began: after(60), now: after(70))
        #expect(machine.next(now: after(70)) == .acquire)
        #expect(machine.leaseAnswered(isHeld: false, asked: after(70), now: after(71)) == true)
        machine.hint([attic], now: after(72))
        #expect(machine.next(now: after(500)) == .wait(until: after(1_071)))
    }

    @Test func `after a failure the same hints are looked at again, later`() {
        var machine = settledHolder()
        machine.hint([hall], now: after(60))
        guard case .step(let step) = machine.next(now: after(60)) else { return #expect(Bool(false)) }
        machine.failed(step, now: after(70))
        guard case .wait(let instant) = machine.next(now: after(70)) else { return #expect(Bool(false)) }
        #expect(instant >= after(120) && instant <= after(170))
        #expect(machine.next(now: instant) == .step(step))
    }

    @Test func `too many hints become a pass, and hints that were lost, too`() {
        var machine = settledHolder()
        machine.hint((1...50_000).map { RoomID(verified: "room\($0)") }, now: after(60))
        machine.hint([hall], now: after(60))
        guard case .step(let step) = machine.next(now: after(60)) else { return #expect(Bool(false)) }
        #expect(step.hinted.count == timing.hintsPerStep)
        #expect(step.part == Part(after: nil))

        machine = settledHolder()
        machine.hintsChanged(isHinted: false, now: after(60))
        #expect(machine.next(now: after(60)) == .step(Step(hinted: [], part: Part(after: nil))))
    }

    @Test func `a pass comes to its end however many hints are lost, and another one follows`() {
        var machine = settledHolder()
        _ = machine.leaseAnswered(isHeld: true, asked: after(1_900), now: after(1_900))
        var parts: [Part?] = []
        for (time, last) in [(2_000, hall), (2_100, attic), (2_200, nil), (2_300, hall), (2_400, nil)] {
            guard case .step(let step) = machine.next(now: after(time)) else { return #expect(Bool(false)) }
            parts.append(step.part)
            // More than are kept, in the first pass.
            if time < 2_300 {
                machine.hint((0...50_000).map { RoomID(verified: "room\($0)") }, now: after(time + 1))
            }
            machine.finished(step, last: last, isRefused: false, began: after(time), now: after(time + 2))
        }
        #expect(parts.map { $0?.after } == [nil, hall, attic, nil, hall])
        // No third one: its time has not come.
        #expect(machine.next(now: after(2_500)) == .wait(until: after(2_550)))
    }

    @Test func `a pass during which hints began to come is followed by another one`() {
        var machine = settledHolder()
        _ = machine.leaseAnswered(isHeld: true, asked: after(1_900), now: after(1_900))
        guard case .step(let first) = machine.next(now: after(2_000)) else { return #expect(Bool(false)) }
        machine.finished(first, last: hall, isRefused: false, began: after(2_000), now: after(2_001))
        guard case .step(let second) = machine.next(now: after(2_100)) else { return #expect(Bool(false)) }
        #expect(second.part == Part(after: hall))
        machine.hintsChanged(isHinted: true, now: after(2_110))
        machine.finished(second, last: nil, isRefused: false, began: after(2_100), now: after(2_120))
        #expect(machine.next(now: after(2_200)) == .step(Step(hinted: [], part: Part(after: nil))))
    }

    @Test func `a new holder begins its own pass`() {
        var machine = settledHolder()
        machine.hintsChanged(isHinted: false, now: after(60))
        guard case .step(let step) = machine.next(now: after(60)) else { return #expect(Bool(false)) }
        machine.finished(step, last: hall, isRefused: true, began: after(60), now: after(70))
        #expect(machine.leaseAnswered(isHeld: false, asked: after(70), now: after(71)) == true)
        #expect(machine.leaseAnswered(isHeld: true, asked: after(1_100), now: after(1_100)) == true)
        #expect(machine.next(now: after(1_100)) == .step(Step(hinted: [], part: Part(after: nil))))
    }
}
