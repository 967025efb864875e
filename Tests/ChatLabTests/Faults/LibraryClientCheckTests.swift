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
        record.kept = (0...2).map { .init(key: "9500-\($0)", asked: UInt64(10 * $0), kept: UInt64(10 * $0 + 5)) }
        record.ends = record.kept.enumerated().map {
            .init(key: $1.key, state: "stored", room: "r", seq: 2 * $0 + 2)
        }
        record.kills = 1
        return record
    }

    private static var faultlessStore: LibraryClientRecord.Store {
        .init(rooms: ["r": LibraryClientCheck.messages(of: log).filter { $0.seq >= 2 }])
    }

    private func check(
        _ record: LibraryClientRecord, store: LibraryClientRecord.Store = Self.faultlessStore,
        log: [LibraryClientCheck.Entry] = Self.log, loss: LibraryClientCheck.LogLoss? = nil
    ) -> LibraryClientCheck {
        LibraryClientCheck(record, store: store, logs: ["r": log], named: ["r"], loss: loss)
    }

    private func flaws(_ record: LibraryClientRecord) -> Set<Flaw> { Set(check(record).counts.keys) }

    @Test func `a client that kept every promise has no flaw`() {
        let check = check(Self.faultless)
        #expect(check.problems.isEmpty && check.examples.isEmpty)
    }

    @Test func `messages are as edits left them`() throws {
        let messages = LibraryClientCheck.messages(of: Self.log)
        #expect(messages.map(\.seq) == [1, 2, 3, 4, 6])
        #expect(messages.filter(\.isEdited).map(\.messageId) == [102])
    }

    @Test func `a store that lacks, changes or adds a message is reported`() {
        var stores = Array(repeating: Self.faultlessStore, count: 3)
        stores[0].rooms["r"]?.remove(at: 1)
        stores[1].rooms["r"]?[0].contentJson = "{}"
        stores[2].rooms["r"]?.removeLast()
        for store in stores + [.init()] {
            #expect(Set(check(Self.faultless, store: store).counts.keys) == [.store])
        }
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

    @Test func `what another process did to the store while a client was dead is not missing`() {
        var record = Self.faultless
        record.heard = [Self.sightings([2]), Self.sightings([2000])]
        #expect(flaws(record).contains(.heardWithGap))
        record.sharesStore = true
        #expect(!flaws(record).contains(.heardWithGap))
    }

    @Test func `a kept post that is not stored is reported, one that was refused is not`() {
        var record = Self.faultless
        record.kept.append(.init(key: "9500-9", asked: 50, kept: 55))
        #expect(flaws(record) == [.lostPost])
        record.ends.append(.init(key: "9500-9", state: "refused"))
        #expect(flaws(record).isEmpty)
    }

    @Test func `a post that never left the outbox is reported`() {
        var store = Self.faultlessStore
        store.outbox = [.init(key: "9500-2", state: "queued")]
        #expect(Set(check(Self.faultless, store: store).counts.keys) == [.lostPost])
    }

    @Test func `posts stored twice or out of order are reported`() {
        var log = Self.log
        log[5].key = "9500-0"
        #expect(check(Self.faultless, log: log).counts.keys.contains(.doubledPost))
        var record = Self.faultless
        record.kept.swapAt(0, 1)
        #expect(flaws(record) == [.reorderedPost])
    }

    @Test func `a client that was informed wrongly of an end is reported`() {
        var record = Self.faultless
        record.ends[0].state = "refused"
        #expect(flaws(record) == [.wrongEnd])
        record = Self.faultless
        record.ends[0].seq = 3
        #expect(flaws(record) == [.wrongEnd])
        record = Self.faultless
        record.ends.append(.init(key: "9500-7", state: "stored", room: "r", seq: 9))
        #expect(flaws(record) == [.wrongEnd])
    }

    // MARK: Two processes on one store

    /// Two processes whose posts were kept in the order of the log.
    private static var pair: [LibraryClientRecord] {
        var (one, other) = (LibraryClientRecord(name: "a"), LibraryClientRecord(name: "b"))
        one.kept = [.init(key: "9500-0", asked: 0, kept: 5), .init(key: "9500-2", asked: 20, kept: 25)]
        other.kept = [.init(key: "9500-1", asked: 10, kept: 15)]
        return [one, other]
    }

    private func isInOrder(_ records: [LibraryClientRecord]) -> Bool {
        LibraryClientCheck(lineOf: records, logs: ["r": Self.log]).problems.isEmpty
    }

    @Test func `posts of two processes are stored in the order in which they were kept`() {
        #expect(isInOrder(Self.pair))
        var pair = Self.pair
        pair[1].kept[0].asked = 26
        #expect(!isInOrder(pair))
    }

    @Test func `two posts that were being kept at the same time have no order`() {
        var pair = Self.pair
        (pair[1].kept[0].asked, pair[1].kept[0].kept) = (24, 40)
        #expect(isInOrder(pair))
    }

    @Test func `posts of two processes have an order in each room alone`() {
        var pair = Self.pair
        pair[1].kept[0].asked = 26
        let logs = ["r": Self.log.filter { $0.key != "9500-1" }, "s": Self.log.filter { $0.key == "9500-1" }]
        #expect(LibraryClientCheck(lineOf: pair, logs: logs).problems.isEmpty)
    }
}
