import ChatLocalStack
import Testing

@testable import ChatCommand

@Suite("A row of the table of faults")
struct FaultRowTests {
    private func fault(
        delay: Fault.Bounds.Delay? = nil, refused: Int? = nil, signs: [Sign] = [.pushesDropped.required]
    ) -> Fault {
        Fault(
            name: "test", summary: "A test", shape: LoadShape(messages: 5),
            bounds: .init(delay: delay, refused: refused), signs: signs, inflict: { _ in })
    }

    private func row(
        _ fault: Fault, _ history: History = .example(), measures: [Fault.Measure] = [],
        change: (inout FaultEvidence) -> Void = { _ in }
    ) -> FaultRow {
        var evidence = FaultEvidence()
        evidence.notes["bites"] = 1
        change(&evidence)
        return FaultRow(
            fault: fault, history: history, evidence: evidence, measures: measures, outage: .seconds(2), problems: [])
    }

    @Test("is clean when nothing is wrong and the fault bit")
    func clean() {
        let row = row(fault(delay: .fixed(.seconds(1)), refused: 0, signs: [.noted("bites").required]))
        #expect(row.isClean)
        #expect(row.proof == ["1 bites"])
        #expect(row.messages == 5 && row.acknowledged == 5 && row.sessions == 2)
        #expect(FaultTable(rows: [row]).text.split(separator: "\n").count == 3)
    }

    @Test("says when the fault did not bite")
    func toothless() {
        #expect(row(fault()).problems == ["the fault did not bite: no pushes dropped"])
    }

    @Test("says which bound was missed")
    func bounds() {
        var late = History.example()
        late.sessions[0].sightings[1].at = 5_000_000_000
        let signs = [Sign.noted("bites")]
        #expect(row(fault(delay: .fixed(.seconds(4)), signs: signs), late).problems == ["delay bound missed"])
        #expect(row(fault(delay: .outage(plus: .seconds(2)), signs: signs), late).problems == ["delay bound missed"])
        #expect(row(fault(delay: .outage(plus: .seconds(4)), signs: signs), late).isClean)
        let refused = row(fault(refused: 0, signs: signs)) { $0.clients.refused = 3 }
        #expect(refused.problems == ["3 posts refused, 0 allowed"])
        let measured = row(fault(signs: signs), measures: [.init(text: "memory", isWithinBound: false)])
        #expect(measured.problems == ["missed: memory"])
    }

    @Test("counts what is lost, doubled and reordered, and says so")
    func flaws() {
        for tampering in HistoryTampering.allCases {
            var history = History.example()
            #expect(tampering.apply(to: &history))
            let row = row(fault(signs: []), history)
            #expect(row.lost + row.doubled + row.reordered == 1)
            #expect(row.problems == ["1 \(tampering.flaw.rawValue)"])
            #expect(row.examples.count == 1)
            #expect(FaultTable(rows: [row]).text.contains("FAILED"))
        }
    }

    @Test("says when too little was posted, and what no server should do")
    func oddities() {
        var fault = fault(signs: [])
        fault.shape.messages = 6
        let row = row(fault) { $0.clients.oddities["a socket closed with 1002"] = 2 }
        #expect(row.problems == ["2 × a socket closed with 1002", "only 5 of 6 messages acknowledged"])
    }
}

@Suite("The faults")
struct FaultCatalogTests {
    @Test("have names of their own, enough load and something that proves them")
    func all() {
        #expect(Set(Fault.all.map(\.name)).count == Fault.all.count)
        for fault in Fault.all {
            #expect(fault.shape.messages >= 5000 && fault.shape.sessions >= 50)
            #expect(fault.signs.contains { $0.isRequired })
        }
        #expect(Fault.all.contains { $0.isInShortForm })
    }

    @Test("are found by name, and an unknown name is an error")
    func named() throws {
        #expect(try Fault.named(["redis-killed", "clients-cut"]).map(\.name) == ["redis-killed", "clients-cut"])
        #expect(throws: Fault.UnknownFault.self) { try Fault.named(["moon-eclipsed"]) }
    }
}
