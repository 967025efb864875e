import Testing

@testable import ChatWebSocketServer

@Suite(.timeLimit(.minutes(2))) struct CloseCodeTests {
    @Test func `the codes are the contract's`() {
        #expect(
            CloseCode.allCases.map(\.rawValue) == [
                1000, 1001, 1002, 1003, 1007, 1006, 1009, 1012, 1013, 4401, 4403, 4404, 4408, 4409, 4429,
            ])
    }

    /// RFC 6455 section 7.4 and IANA's registry of close codes.
    @Test(arguments: [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999])
    func `a peer may send`(code: UInt16) {
        #expect(CloseCode.isValidFromPeer(code))
    }

    @Test(arguments: [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535])
    func `a peer may not send`(code: UInt16) {
        #expect(!CloseCode.isValidFromPeer(code))
    }
}
