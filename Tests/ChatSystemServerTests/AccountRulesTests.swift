import CommonUtil
import Testing

@testable import ChatSystemServer

@Suite(.timeLimit(.minutes(2))) struct AccountRulesTests {
    @Test(arguments: [("Ann.B-1", "ann.b-1"), ("abc", "abc"), ("A_9", "a_9")])
    func `upper case is folded`(text: String, name: String) {
        var fields = FieldReader(["username": .string(text)])
        #expect(AccountRules.username(&fields) == name)
        #expect(fields.errors.isEmpty)
    }

    @Test(arguments: ["ab", String(repeating: "a", count: 33), "a b", "ann\u{E9}", "\u{212A}elvin", ""])
    func `other names are refused`(text: String) {
        var fields = FieldReader(["username": .string(text)])
        #expect(AccountRules.username(&fields) == nil)
        #expect(fields.errors.map(\.field) == ["username"])
    }
}
