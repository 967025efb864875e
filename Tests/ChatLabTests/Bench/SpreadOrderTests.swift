import Testing

@testable import ChatLab

@Suite(.timeLimit(.minutes(1))) struct SpreadOrderTests {
    @Test(arguments: [1, 2, 3, 20, 1_000, 9_973, 10_000])
    func `each is passed once in a turn`(count: Int) {
        let order = SpreadOrder(count: count)
        for turn in 0..<2 {
            #expect(Set((0..<count).map { order[turn * count + $0] }) == Set(0..<count))
        }
    }

    @Test func `neighbours follow each other after many others`() {
        let order = SpreadOrder(count: 10_000)
        let groups = (0..<20).map { order[$0] / 500 }
        // Of twenty users with 500 rooms each, nobody has two of three messages in a row.
        for index in 2..<20 { #expect(Set(groups[index - 2...index]).count == 3) }
        #expect(Set(groups).count >= 15)
    }
}
