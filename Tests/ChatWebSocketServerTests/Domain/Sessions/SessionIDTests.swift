import Testing

@testable import ChatWebSocketServer

@Suite(.timeLimit(.minutes(1))) struct SessionIDTests {
    @Test func `an id is 16 characters, of which each takes all values`() {
        let ids = (0..<2_000).map { _ in SessionID.random().description }
        for index in 0..<16 {
            #expect(Set(ids.map { Array($0)[index] }) == Set("abcdefghjkmnpqrstvwxyz0123456789"))
        }
        #expect(ids.allSatisfy { $0.count == 16 })
        #expect(Set(ids).count == ids.count)
    }
}
