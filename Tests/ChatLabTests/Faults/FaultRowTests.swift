import ChatLocalStack
import Testing

@testable import ChatLab

@Suite(.timeLimit(.minutes(2))) struct FaultRowTests {
    private func fault(
        delay: Fault.Bounds.Delay? = nil, refused: Int? = nil, signs: [EffectCount] = [.pushesDropped.required]
    ) -> Fault {
        Fault(
            name: "test", summary: "A test", shape: LoadShape(messages: 5, readEvery: 0, churners: 0, uploaders: 0),
            bounds: .init(delay: delay, refused: refused), signs: signs, inflict: { _ in })
    }

    private func row(
        _ fault: Fault, _ history: History = .example(), measures: [Fault.Measure] = [],
        slack: Int = 1, change: (inout FaultEvidence) -> Void = { _ in }
    ) -> FaultRow {
        var evidence = FaultEvidence()
        evidence.notes["bites"] = 1
        change(&evidence)
        return FaultRow(
            fault: fault, history: history, evidence: evidence, measures: measures, outage: .seconds(2),
            slack: slack, problems: [])
    }

    @Test func `a row is clean when nothing is wrong and the fault bit`() {
        let row = row(fault(delay: .fixed(.seconds(1)), refused: 0, signs: [.noted("bites").required]))
        #expect(row.isClean)
        #expect(row.proof == ["1 bites"])
        #expect(row.messages == 5 && row.acknowledged == 5 && row.sessions == 2)
        #expect(FaultTable(rows: [row]).text.split(separator: "\n").count == 3)
    }

    @Test func `a fault without a required sign is reported`() {
        #expect(row(fault()).problems == ["the fault had no effect: no pushes dropped"])
    }

    @Test func `the bound that was missed is reported`() {
        var late = History.example()
        late.sessions[0].sightings[1].at = 5_000_000_000
        let signs = [EffectCount.noted("bites")]
        #expect(row(fault(delay: .fixed(.seconds(4)), signs: signs), late).problems == ["delay bound missed"])
        #expect(row(fault(delay: .outage(plus: .seconds(2)), signs: signs), late).problems == ["delay bound missed"])
        #expect(row(fault(delay: .outage(plus: .seconds(4)), signs: signs), late).isClean)
        let refused = row(fault(refused: 0, signs: signs)) { $0.clients.refused = 3 }
        #expect(refused.problems == ["3 posts refused, 0 allowed"])
        let measured = row(fault(signs: signs), measures: [.init(text: "memory", isWithinBound: false)])
        #expect(measured.problems == ["missed: memory"])
    }

    @Test func `slack applies to times, and to nothing else`() {
        var history = History.example()
        history.sessions[0].sightings[1].at = 5_000_000_000
        let fault = fault(delay: .fixed(.seconds(3)), refused: 0, signs: [])
        #expect(row(fault, history).problems == ["delay bound missed"])
        let slack = row(fault, history, slack: 2)
        #expect(slack.isClean)
        #expect(FaultTable(rows: [slack]).text.contains("≤ 6.00 s (2 × 3.00 s)"))
        history.sessions[0].sightings[1].at = 6_500_000_000
        #expect(row(fault, history, slack: 2).problems == ["delay bound missed"])
        #expect(row(fault, slack: 2) { $0.clients.refused = 1 }.problems == ["1 posts refused, 0 allowed"])
        #expect(row(self.fault(), slack: 2).problems == ["the fault had no effect: no pushes dropped"])
    }

    @Test func `a socket that is kept too long after a leave is reported`() {
        var history = History.example()
        history.visits[0].end?.at = 5_000_000_000
        let fault = fault(delay: .fixed(.seconds(3)), signs: [])
        #expect(row(fault, history).problems == ["the socket of a user who left was open for 5.0 s"])
        #expect(row(fault, history, slack: 2).isClean)
        history.visits[0].end?.code = 1012
        #expect(row(fault, history).isClean)
    }

    @Test func `a reader of the feed that had to wait for too long is reported, and a reading that was refused`() {
        var history = History.exampleWithFeed()
        history.posts[1].outcome = .acknowledged(.init(seq: 2, messageID: 102, at: 1, server: 1))
        history.changeFeed?.readers[1].deliveries[0].at = 6_500_000_001
        var fault = fault(refused: 0, signs: [])
        #expect(row(fault, history).isClean)
        fault.bounds.feedDelay = .fixed(.seconds(5))
        #expect(row(fault, history).problems == ["webhook had to wait for 6.5 s"])
        #expect(row(fault, history).longestFeedDelaySeconds == ["webhook": 6.5])
        #expect(row(fault, history, slack: 2).isClean)
        fault.bounds.feedDelay = .outage(plus: .seconds(5))
        #expect(row(fault, history).isClean)
        #expect(row(fault) { $0.clients.feedRefused = 1 }.problems == ["1 readings of the feed refused, 0 allowed"])
    }

    @Test func `reads, comings and goings that were refused or did not take place are reported`() {
        var fault = fault(refused: 0, signs: [])
        #expect(
            row(fault) { $0.clients.othersRefused = 1 }.problems == ["1 reads, comings and goings refused, 0 allowed"])
        fault.bounds.refused = nil
        #expect(row(fault) { $0.clients.othersRefused = 1 }.isClean)
        fault.shape.churners = 1
        fault.shape.readEvery = 1
        #expect(row(fault).isClean)
        var idle = History.example()
        idle.memberChanges = idle.memberChanges.map { .init(room: $0.room, identity: $0.identity) }
        for index in idle.sessions.indices { idle.sessions[index].receipts = [] }
        #expect(row(fault, idle).problems == ["nobody came or went", "no read was delivered"])
        var unreported = History.example()
        unreported.membershipDelays = []
        #expect(row(fault, unreported).problems == ["no user socket reported a coming or going"])
        unreported.membershipDelays = [.init(room: "lobby", kind: History.joinKind, nanoseconds: 5_500_000_000)]
        fault.bounds.delay = .fixed(.seconds(5))
        #expect(row(fault, unreported).problems == ["a user socket reported a coming or going after 5.5 s"])
        #expect(row(fault, unreported, slack: 2).isClean)
    }

    @Test func `lost, doubled and reordered events are counted and reported`() {
        for tampering in HistoryTampering.allCases {
            var history = History.exampleWithFiles()
            #expect(tampering.apply(to: &history))
            let row = row(fault(signs: []), history)
            let isCounted = ![.leak, .forget, .leaveFile].contains(tampering)
            #expect(row.lost + row.doubled + row.reordered == (isCounted ? 1 : 0))
            #expect(row.problems == ["1 \(tampering.flaw.rawValue)"])
            #expect(row.examples.count == 1)
            #expect(FaultTable(rows: [row]).text.contains("FAILED"))
        }
    }

    @Test func `uploads that were refused, and files that nobody stored or named, are reported`() {
        var fault = fault(refused: 0, signs: [])
        #expect(row(fault) { $0.clients.uploadsRefused = 2 }.problems == ["2 uploads refused, 0 allowed"])
        fault.bounds.uploadsRefused = 2
        #expect(row(fault) { $0.clients.uploadsRefused = 2 }.isClean)
        fault.shape.uploaders = 1
        #expect(row(fault).problems == ["no file was stored", "no message names a file"])
        let row = row(fault, .exampleWithFiles())
        #expect(row.isClean)
        #expect(row.measures.last == "3 files stored, 1 named")
    }

    @Test func `too few acknowledged messages, and what no server should do, are reported`() {
        var fault = fault(signs: [])
        fault.shape.messages = 6
        let row = row(fault) { $0.clients.violations["a socket closed with 1002"] = 2 }
        #expect(row.problems == ["2 × a socket closed with 1002", "only 5 of 6 messages acknowledged"])
    }
}

@Suite(.timeLimit(.minutes(2))) struct FaultCatalogTests {
    @Test func `faults have names of their own, enough load and something that proves them`() {
        #expect(Set(Fault.all.map(\.name)).count == Fault.all.count)
        for fault in Fault.all {
            // A fault of client libraries has few others beside them.
            #expect(
                fault.shape.clientKills > 0 || fault.shape.messages >= 5000 && fault.shape.sessions >= 50)
            #expect(fault.signs.contains { $0.isRequired })
            #expect(fault.shape.userSockets > 0 && fault.shape.streamEvery > 0)
        }
        #expect(Fault.all.contains { $0.isInShortForm })
        #expect(Fault.all.map(\.shortened).allSatisfy { $0.shape.missedEvents <= 10_000 })
    }

    @Test func `processes with both client libraries are in every fault but the one that compares memory and delays`() {
        #expect(Fault.all.filter { $0.shape.libraryClients == 0 }.map(\.name) == ["slow-readers"])
        #expect(Fault.all.map(\.shortened).filter { $0.shape.libraryClients == 0 }.map(\.name) == ["slow-readers"])
    }

    @Test func `files are in every fault but the one that compares memory and delays`() {
        #expect(Fault.all.filter { $0.shape.uploaders == 0 }.map(\.name) == ["slow-readers"])
        #expect(Fault.all.map(\.shortened).filter { $0.shape.uploaders == 0 }.map(\.name) == ["slow-readers"])
    }

    @Test func `each mistake of a client library is made by both`() {
        let shape = Fault.mistakenClients.shape
        #expect(shape.libraryMistakes == LibraryClient.Mistake.allCases)
        #expect(shape.libraryClients == shape.libraryMistakes.count)
    }

    @Test func `faults are found by name, and an unknown name is an error`() throws {
        #expect(try Fault.named(["redis-killed", "clients-cut"]).map(\.name) == ["redis-killed", "clients-cut"])
        #expect(throws: Fault.UnknownFault.self) { try Fault.named(["moon-eclipsed"]) }
    }
}
