import ChatStorage
import CommonUtil
import Logging
import Metrics
import ServiceLifecycle
import Synchronization

/// A source of hints that rooms have new events.
protocol RoomHints: Sendable {
    /// Begins or ends the hints. Does not wait for that.
    func setWanted(_ isWanted: Bool)
}

/// Appends the order of the feed of changes, on the one server that holds the lease. Carries out what
/// ``ChangeSequencerStateMachine`` decides.
final class ChangeSequencer: Service {
    private let sequence: ChangeSequenceRepository
    private let timing: ChangeSequencerStateMachine.Timing
    private let holder: Int64
    private let state: Mutex<ChangeSequencerStateMachine>
    private let hints = Mutex<(any RoomHints)?>(nil)
    private let gate = StartGate()
    private let logger: Logger
    private let appends = Counter(label: "chat_changes_appends_total")
    private let seconds = Timer(label: "chat_changes_append_seconds", preferredDisplayUnit: .seconds)
    private let isHolder = Gauge(label: "chat_changes_sequencer")

    /// - Parameter holder: a number that no other server has.
    init(
        _ sequence: ChangeSequenceRepository, timing: ChangeSequencerStateMachine.Timing = .init(),
        holder: Int64 = .random(in: .min ... .max), logger: Logger
    ) {
        self.sequence = sequence
        self.timing = timing
        self.holder = holder
        self.logger = logger
        state = Mutex(ChangeSequencerStateMachine(timing: timing, now: .now))
    }

    /// Starts the work, once the database is migrated.
    func begin() { gate.open() }

    /// Sets where hints come from, before the start. They are begun and ended with the lease.
    func use(_ hints: any RoomHints) { self.hints.withLock { $0 = hints } }

    /// These rooms have something new.
    func hint(_ roomIDs: [RoomID]) { state.withLock { $0.hint(roomIDs, now: .now) } }

    /// Hints come from now on, or do not come any more.
    func hintsChanged(isHinted: Bool) { state.withLock { $0.hintsChanged(isHinted: isHinted, now: .now) } }

    /// Appends until graceful shutdown, from ``begin()`` on, and gives the lease up at the end.
    func run() async throws {
        try? await cancelWhenGracefulShutdown {
            await self.gate.wait()
            while !Task.isCancelled { try await self.act() }
        }
        guard state.withLock({ $0.isHolder }) else { return }
        // In a task of its own, since this one may be cancelled. Without an answer the lease just runs out.
        _ = await Task { [sequence, holder] in try await sequence.release(holder) }.result
    }

    private func act() async throws {
        let now = ContinuousClock.now
        switch state.withLock({ $0.next(now: now) }) {
        case .wait(let instant):
            // Hints are looked at after the shortest pause.
            try await Task.sleep(until: min(instant, now + timing.pause.lowerBound), clock: .continuous)
        case .acquire:
            do {
                answered(isHeld: try await sequence.acquire(holder, for: timing.lease), asked: now)
            } catch {
                failed(nil, error)
            }
        case .step(let step):
            do {
                try await carryOut(step, began: now)
            } catch {
                failed(step, error)
            }
        }
    }

    private func answered(isHeld: Bool, asked: ContinuousClock.Instant) {
        let changes = state.withLock { $0.leaseAnswered(isHeld: isHeld, asked: asked, now: .now) }
        isHolder.record(isHeld ? 1 : 0)
        guard changes else { return }
        logger.info("\(isHeld ? "this server appends" : "another server appends") the feed of changes")
        hints.withLock { $0 }?.setWanted(isHeld)
    }

    private func carryOut(_ step: ChangeSequencerStateMachine.Step, began: ContinuousClock.Instant) async throws {
        var pending = Set(try await sequence.pending(of: step.hinted))
        var last: RoomID?
        if let part = step.part {
            let found = try await sequence.pending(after: part.after, limit: timing.partSize)
            last = found.last
            pending.formUnion(found.pending)
        }
        var isRefused = false
        if !pending.isEmpty {
            isRefused = try await sequence.append(Array(pending), holder: holder, extendingBy: timing.lease) == nil
            appends.increment()
            seconds.record(duration: .now - began)
        }
        state.withLock {
            $0.finished(step, last: last, isRefused: isRefused, began: began, now: .now)
        }
    }

    private func failed(_ step: ChangeSequencerStateMachine.Step?, _ error: any Error) {
        state.withLock { $0.failed(step, now: .now) }
        logger.debug("the feed of changes is appended later", metadata: ["reason": "\(error)"])
    }
}
