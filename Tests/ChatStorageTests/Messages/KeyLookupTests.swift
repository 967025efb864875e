import Testing

@testable import ChatStorage

@Suite struct KeyLookupTests {
    @Test func `so many batches look at the start, and again after each failure`() {
        var lookup = KeyLookup(span: 2)
        #expect((0..<4).map { _ in lookup.isDue() } == [true, true, false, false])
        lookup.failed()
        #expect((0..<3).map { _ in lookup.isDue() } == [true, true, false])
        lookup.failed()
        #expect(lookup.isDue() == true)
        lookup.failed()
        #expect((0..<3).map { _ in lookup.isDue() } == [true, true, false])
    }

    @Test func `without a span none looks`() {
        var lookup = KeyLookup(span: 0)
        lookup.failed()
        #expect(lookup.isDue() == false)
    }
}
