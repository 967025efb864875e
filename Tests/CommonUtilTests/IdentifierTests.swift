import CommonUtil
import Testing

@Suite(.timeLimit(.minutes(2))) struct IdentifierTests {
    @Test(arguments: ["1", "42", "9007199254740991"])
    func `positive integers are read`(text: String) {
        #expect(UserID(text: text)?.description == text)
        #expect(MessageID(text: text)?.description == text)
    }

    @Test(arguments: [
        "", "0", "-1", "+1", "01", " 1", "1 ", "1.0", "1e3", "9007199254740992", "9223372036854775808", "x", "١",
    ])
    func `other spellings are refused`(text: String) {
        #expect(UserID(text: text) == nil)
        #expect(MessageID(text: text) == nil)
    }

    @Test(arguments: [
        ("9007199254740992", true), ("9223372036854775808", true), ("9007199254740991", false), ("x", false),
    ])
    func `integers that are too large are recognised`(text: String, isTooLarge: Bool) {
        #expect(UserID.isTooLarge(text) == isTooLarge)
    }

    @Test func `sign-ins have 63 bits`() {
        #expect(SignInID(text: "9223372036854775807") == SignInID(.max))
    }

    @Test(arguments: ["a", "A-Z_0.9", "...", "Public", String(repeating: "x", count: 64)])
    func `valid room ids are read`(text: String) {
        #expect(RoomID(text)?.rawValue == text)
    }

    @Test(arguments: [
        "", ".", "..", "public", String(repeating: "x", count: 65), "a b", "a/b", "é", "a\0", "a\n", "a:b", "*", "a%20",
    ])
    func `other room ids are refused`(text: String) {
        #expect(RoomID(text) == nil)
    }

    @Test func `random room ids are valid and differ`() {
        let names = (0..<100).map { _ in RoomID.random() }
        #expect(Set(names).count == 100)
        #expect(names.allSatisfy { RoomID($0.rawValue) == $0 })
    }

    @Test func `a backoff doubles up to its bound and starts again`() {
        var backoff = Backoff(first: .milliseconds(100), longest: .seconds(1))
        for ceiling in [100, 200, 400, 800, 1_000, 1_000] {
            let wait = backoff.next()
            #expect(wait >= .milliseconds(ceiling) / 2 && wait <= .milliseconds(ceiling))
        }
        for _ in 0..<100 { _ = backoff.next() }
        backoff.reset()
        #expect(backoff.next() <= .milliseconds(100))
    }
}

@Suite(.timeLimit(.minutes(2))) struct TextBytesTests {
    @Test func `texts that are only canonically equivalent have other bytes`() {
        let (one, two) = ("caf\u{E9}", "cafe\u{301}")
        #expect(one == two && !one.hasSameBytes(as: two))
        #expect(one.hasSameBytes(as: one[...]))
    }

    @Test func `digits are those of ASCII alone`() {
        #expect((UInt8.min...UInt8.max).filter(\.isASCIIDigit) == Array("0123456789".utf8))
    }
}
