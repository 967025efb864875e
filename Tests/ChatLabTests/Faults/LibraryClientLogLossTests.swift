import Testing

@testable import ChatLab

/// What clients may do with a log whose end PostgreSQL has lost.
@Suite(.timeLimit(.minutes(1))) struct LibraryClientLogLossTests {
    typealias Flaw = LibraryClientCheck.Flaw
    typealias Record = LibraryClientRecord

    /// PostgreSQL lost 4 to 6; what is there now was stored afterwards.
    private static let loss = LibraryClientCheck.LogLoss(kept: ["r": 3], lost: ["r": 6])
    private static let log: [LibraryClientCheck.Entry] = (1...7).map { seq in
        .init(
            seq: seq, eventMark: "mark-\(seq)", kind: "message", messageID: 100 + seq, key: "k-\(seq)",
            contentJson: "{}")
    }
    private static let again = Record.Sighting.reset("r")

    private static func sightings(_ seqs: ClosedRange<Int>) -> [Record.Sighting] {
        seqs.map { .init(room: "r", seq: $0, eventMark: "mark-\($0)") }
    }

    private static func lost(_ seqs: ClosedRange<Int>) -> [Record.Sighting] {
        seqs.map { .init(room: "r", seq: $0, eventMark: "lost-\($0)") }
    }

    /// A client that had events that were lost, and was informed of it; one of its posts was lost at 5.
    private static var informed: Record {
        var record = Record(name: "javaScript-9500")
        record.heard = [sightings(2...3) + lost(4...5) + [.reset("r", after: 4)] + sightings(5...7)]
        record.applied = sightings(1...3) + lost(4...6) + [again] + sightings(1...7)
        record.named = sightings(1...3) + lost(4...4) + [again] + sightings(1...7)
        record.kept = [.init(key: "k-2", asked: 1, kept: 2), .init(key: "lost-5", asked: 3, kept: 4)]
        record.ends = [
            .init(key: "k-2", state: "stored", room: "r", seq: 2),
            .init(key: "lost-5", state: "stored", room: "r", seq: 5),
        ]
        return record
    }

    private func flaws(_ record: Record, loss: LibraryClientCheck.LogLoss? = Self.loss) -> Set<Flaw> {
        let store = Record.Store(rooms: ["r": LibraryClientCheck.messages(of: Self.log)])
        let check = LibraryClientCheck(record, store: store, logs: ["r": Self.log], named: ["r"], loss: loss)
        return Set(check.counts.keys)
    }

    @Test func `a client that was informed has no flaw`() {
        #expect(flaws(Self.informed).isEmpty)
    }

    @Test func `where nothing was lost the same is wrong`() {
        #expect(
            flaws(Self.informed, loss: nil)
                == [.heardTwice, .applied, .namedMissing, .beganAgain, .lostPost, .wrongEnd])
    }

    @Test(arguments: [
        // Not informed.
        (sightings(1...3) + lost(4...6), Flaw.applied),
        // Nothing that it had was lost.
        (sightings(1...2) + [again] + sightings(1...7), .beganAgain),
        // Gaps before and after.
        (sightings(2...3) + lost(4...4) + [again] + sightings(1...7), .applied),
        (sightings(1...3) + lost(5...5) + [again] + sightings(1...7), .applied),
        (sightings(1...3) + lost(4...4) + [again] + sightings(4...7), .applied),
    ])
    func `a reader that keeps its position and lacks something is reported`(
        _ applied: [Record.Sighting], _ flaw: Flaw
    ) {
        var record = Self.informed
        record.applied = applied
        #expect(flaws(record).contains(flaw))
    }

    @Test func `a named reader that goes on in the lost log is reported`() {
        var record = Self.informed
        record.named = Self.sightings(1...3) + Self.lost(4...6)
        #expect(flaws(record) == [.namedMissing])
    }

    @Test func `a listener that was not informed, or lacks something afterwards, is reported`() {
        var record = Self.informed
        record.heard = [Self.sightings(2...3) + Self.lost(4...5)]
        #expect(flaws(record) == [.heardTwice])
        record.heard = [Self.sightings(2...3) + Self.lost(4...4) + [.reset("r", after: 4)] + Self.sightings(6...7)]
        #expect(flaws(record) == [.heardWithGap])
        record.hearsFromNow = true
        #expect(flaws(record).isEmpty)
    }

    @Test(arguments: [3, 7]) func `a post that was stored where nothing was lost is not lost`(_ seq: Int) {
        var record = Self.informed
        record.ends[1].seq = seq
        #expect(flaws(record) == [.lostPost, .wrongEnd])
    }

    @Test func `a post without an end is not lost`() {
        var record = Self.informed
        record.ends.removeLast()
        #expect(flaws(record) == [.lostPost])
    }

    @Test func `two posts cannot have been lost at one place`() {
        var record = Self.informed
        record.kept.append(.init(key: "lost-6", asked: 5, kept: 6))
        record.ends.append(.init(key: "lost-6", state: "stored", room: "r", seq: 5))
        #expect(flaws(record) == [.lostPost, .wrongEnd])
    }
}
