import Testing

@testable import ChatLab

@Suite(.timeLimit(.minutes(1))) struct LibraryClientCheckTests {
    typealias Flaw = LibraryClientCheck.Flaw

    private static let log: [LibraryClientCheck.Entry] = (1...6).map { seq in
        .init(
            seq: seq, eventMark: "mark-\(seq)", kind: seq == 5 ? "message_edited" : "message",
            messageID: seq == 5 ? 102 : 100 + seq, key: seq.isMultiple(of: 2) ? "9500-\(seq / 2 - 1)" : nil,
            contentJson: "{\"text\":\"\(seq)\"}")
    }

    private static func sightings(_ seqs: [Int]) -> [LibraryClientRecord.Sighting] {
        seqs.map { .init(room: "r", seq: $0, eventMark: "mark-\($0)") }
    }

    /// A client that was killed once, after it had heard of 3.
    private static var faultless: LibraryClientRecord {
        var record = LibraryClientRecord(name: "javaScript-9500")
        record.heard = [sightings([2, 3]), sightings([5, 6])]
        record.applied = sightings(Array(1...6))
        record.named = sightings([1, 2, 3, 3, 4, 5, 6])
        record.kept = ["9500-0", "9500-1", "9500-2"]
        record.ends = record.kept.map { .init(key: $0, state: "stored") }
        record.store.rooms["r"] = LibraryClientCheck.messages(of: log).filter { $0.seq >= 2 }
        record.kills = 1
        return record
    }

    private func flaws(_ record: LibraryClientRecord) -> Set<Flaw> {
        Set(LibraryClientCheck(record, logs: ["r": Self.log]).counts.keys)
    }

    @Test func `a client that kept every promise has no flaw`() {
        let check = LibraryClientCheck(Self.faultless, logs: ["r": Self.log])
        #expect(check.problems.isEmpty && check.examples.isEmpty)
    }

    @Test func `messages are as edits left them`() throws {
        let messages = LibraryClientCheck.messages(of: Self.log)
        #expect(messages.map(\.seq) == [1, 2, 3, 4, 6])
        #expect(messages.filter(\.isEdited).map(\.messageId) == [102])
    }

    @Test func `a store that lacks, changes or adds a message is reported`() throws {
        var record = Self.faultless
        record.store.rooms["r"]?.remove(at: 1)
        #expect(flaws(record) == [.store])
        record = Self.faultless
        record.store.rooms["r"]?[0].contentJson = "{}"
        #expect(flaws(record) == [.store])
        record = Self.faultless
        record.store.rooms["r"]?.removeLast()
        #expect(flaws(record) == [.store])
        record = Self.faultless
        record.store = .init()
        #expect(flaws(record) == [.store])
    }

    @Test(arguments: [
        ([[2, 3, 3]], Flaw.heardTwice), ([[3, 2]], .heardTwice), ([[2, 3], [3, 4]], .heardTwice),
        ([[2, 4]], .heardWithGap),
        ([[2], [2000]], .heardWithGap),
    ])
    func `what was heard twice, swapped or not at all is reported`(_ lives: [[Int]], _ flaw: Flaw) {
        var record = Self.faultless
        record.heard = lives.map(Self.sightings)
        #expect(flaws(record).contains(flaw))
    }

    @Test func `what was heard of another log is reported`() {
        var record = Self.faultless
        record.heard[0][0].eventMark = "other"
        #expect(flaws(record) == [.heardTwice])
    }

    @Test(arguments: [[1, 2, 3, 5, 6], [1, 2, 3, 4, 5], [1, 2, 3, 3, 4, 5, 6], [1, 2, 4, 3, 5, 6], []])
    func `an event that was not dealt with exactly once is reported`(_ applied: [Int]) {
        var record = Self.faultless
        record.applied = Self.sightings(applied)
        #expect(flaws(record) == [.applied])
    }

    @Test(arguments: [
        ([1, 2, 3, 4, 6], Flaw.namedMissing), ([1, 2, 3], .namedMissing), ([1, 2, 2, 3, 3, 4, 5, 6], .namedAgain),
        ([1, 2, 3, 2, 3, 4, 5, 6], .namedMissing), ([], .namedMissing),
    ])
    func `a named reader that misses or repeats more than a kill allows is reported`(_ named: [Int], _ flaw: Flaw) {
        var record = Self.faultless
        record.named = Self.sightings(named)
        #expect(flaws(record) == [flaw])
    }

    @Test func `a kept post that is not stored is reported, one that was refused is not`() {
        var record = Self.faultless
        record.kept.append("9500-9")
        #expect(flaws(record) == [.lostPost])
        record.ends.append(.init(key: "9500-9", state: "refused"))
        #expect(flaws(record).isEmpty)
    }

    @Test func `a post that never left the outbox is reported`() {
        var record = Self.faultless
        record.store.outbox = [.init(key: "9500-2", state: "queued")]
        #expect(flaws(record) == [.lostPost])
    }

    @Test func `posts stored twice or out of order are reported`() {
        var log = Self.log
        log[5].key = "9500-0"
        #expect(Set(LibraryClientCheck(Self.faultless, logs: ["r": log]).counts.keys).contains(.doubledPost))
        var record = Self.faultless
        record.kept.swapAt(0, 1)
        #expect(flaws(record) == [.reorderedPost])
    }

    @Test func `a client that was informed wrongly of an end is reported`() {
        var record = Self.faultless
        record.ends[0].state = "refused"
        #expect(flaws(record) == [.wrongEnd])
        record = Self.faultless
        record.ends.append(.init(key: "9500-7", state: "stored"))
        #expect(flaws(record) == [.wrongEnd])
    }
}
