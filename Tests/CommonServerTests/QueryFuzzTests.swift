import ChatTestSupport
import CommonUtil
import Testing

@testable import CommonServer

@Suite("Fuzzing: queries", .timeLimit(.minutes(2)))
struct QueryFuzzTests {
    @Test func `whatever a query holds, it is read or refused; what is decoded can be encoded and decoded again`()
        throws
    {
        var fuzzer = Fuzzer("queries")
        try fuzzer.run { input, _ in
            let text = String(decoding: input, as: UTF8.self)
            var query = QueryReader(query: text)
            if let limit = query.optionalInteger("limit", in: 1...100), !(1...100).contains(limit) {
                return "limit \(limit)"
            }
            if let name = query.optionalString("query", length: 1...64), name.utf8.contains(0) { return "U+0000" }
            _ = query.optionalCursor(of: "rooms", partCount: 2)

            guard let decoded = PercentEncoding.decode(text) else { return nil }
            let encoded = decoded.utf8.map { "%" + String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
            return PercentEncoding.decode(encoded) == decoded ? nil : "not the same when decoded again"
        }
    }
}
