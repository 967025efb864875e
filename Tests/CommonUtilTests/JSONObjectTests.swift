import CommonUtil
import Testing

@Suite(.timeLimit(.minutes(2))) struct JSONObjectTests {
    private func object(_ json: String) throws -> JSONObject {
        guard case .object(let object) = try JSONParser.parse(Array(json.utf8)) else { return [:] }
        return object
    }

    @Test func `members are found by their names' bytes, and stand in their order`() throws {
        let object = try object(#"{"b":1,"":2,"ab":3,"a":4,"e\u0301":5,"\u00e9":6}"#)
        #expect(object.map(\.key.text.utf8.count) == [0, 1, 2, 1, 3, 2])
        #expect(object["a"] == .number("4"))
        #expect(object["ab"] == .number("3"))
        #expect(object[""] == .number("2"))
        #expect(object["\u{E9}"] == .number("6"))
        #expect(object["e\u{301}"] == .number("5"))
        #expect(object["abc"] == nil)
        #expect(object["c"] == nil)
    }

    @Test func `of a repeated name the last value counts, in any order of many`() throws {
        let names = (0..<200).map { "n\($0 * 7919 % 200)" }
        let json = (names.map { #""\#($0)":1"# } + names.reversed().map { #""\#($0)":2"# }).joined(separator: ",")
        let object = try object("{\(json)}")
        #expect(object.count == 200)
        #expect(names.allSatisfy { object[JSONKey($0)] == .number("2") })
        #expect(object.map(\.key) == object.map(\.key).sorted())
    }

    @Test func `a repeated name is refused where names must be unique`() {
        for json in [#"{"a":1,"a":2}"#, #"{"a":1,"b":1,"a":2}"#, #"{"b":1,"a":1,"b":2,"c":3}"#] {
            #expect(throws: JSONError.self) { try JSONParser.parse(Array(json.utf8), uniqueKeys: true) }
            #expect(throws: Never.self) { try JSONParser.parse(Array(json.utf8)) }
        }
        #expect(throws: Never.self) { try JSONParser.parse(Array(#"{"b":1,"a":2}"#.utf8), uniqueKeys: true) }
    }

    @Test func `objects with the same members are equal`() throws {
        #expect(try object(#"{"a":1,"b":2}"#) == object(#"{"b":2,"a":0,"a":1}"#))
        #expect(try object(#"{"a":1}"#) != object(#"{"a":2}"#))
        #expect(try object("{}") == [:])
    }
}
