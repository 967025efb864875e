import CommonUtil
import Testing

@testable import CommonServer

@Suite(.timeLimit(.minutes(2))) struct QueryReaderTests {
    @Test func `fields are read`() throws {
        var query = QueryReader(
            query:
                "limit=50&q=a+b%20%C3%A9&cursor=\(Cursor(of: "things", ["x"]).text)&after=-1&empty=&flag"
        )
        #expect(query.optionalInteger("limit", in: 1...100) == 50)
        #expect(query.optionalInteger("after", in: Int64.min...0) == -1)
        #expect(query.optionalString("q", length: 5...5) == "a b é")
        #expect(query.optionalCursor(of: "things", partCount: 1) == Cursor(of: "things", ["x"]))
        #expect(query.optionalString("empty", length: 0...1) == "")
        #expect(query.optionalString("flag", length: 0...1) == "")
        #expect(query.optionalString("gone", length: 0...1) == nil)
        #expect(query.optionalInteger("gone", in: 1...2) == nil)
        #expect(throws: Never.self) { try query.finish() }
    }

    @Test func `every invalid field is named at once`() {
        var query = QueryReader(query: "limit=0&n=1x&p=+1&q=&cursor=?")
        _ = query.optionalInteger("limit", in: 1...100)
        _ = query.optionalInteger("n", in: 1...100)
        _ = query.optionalInteger("p", in: 1...100)
        _ = query.optionalString("q", length: 1...5)
        _ = query.optionalCursor(of: "things", partCount: 1)
        #expect(query.errors.map(\.field) == ["limit", "n", "p", "q", "cursor"])
        #expect(throws: ChatError(invalid: query.errors)) { try query.finish() }
    }

    @Test(arguments: [
        ("a=1&a=2", "a"), ("a=%", "a"), ("a=%4", "a"), ("a=%G1", "a"), ("a=%FF", "a"), ("a=%C3", "a"), ("a=%00", "a"),
        ("%FF=1", "query"), ("%00=1", "query"), ("%61=1&a=1", "a"),
    ])
    func `invalid pairs are named`(text: String, field: String) {
        #expect(QueryReader(query: text).errors.map(\.field) == [field])
    }

    @Test func `an absent cursor is no error`() {
        var query = QueryReader(query: "limit=1")
        #expect(query.optionalCursor(of: "things", partCount: 1) == nil)
        #expect(query.errors.isEmpty)
    }

    @Test(arguments: [nil, "", "&", "&&"]) func `an empty query is no error`(text: String?) {
        #expect(QueryReader(query: text).errors.isEmpty)
    }
}
