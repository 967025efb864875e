import ChatTestSupport
import CommonUtil
import Testing

@Suite("Fuzzing: JSON and cursors", .timeLimit(.minutes(2)))
struct JSONFuzzTests {
    @Test func `what is read as JSON is written so that the same is read again`() throws {
        var fuzzer = Fuzzer("json")
        try fuzzer.run { input, _ in
            guard let value = try? JSONParser.parse(input) else { return nil }
            let text = value.canonicalText
            guard let again = try? JSONParser.parse(Array(text.utf8)), again == value else {
                return "not the same: \(text)"
            }
            return again.canonicalText == text ? nil : "no fixed point: \(text)"
        }
    }

    @Test func `a cursor that is taken is one that a list gives`() throws {
        var fuzzer = Fuzzer("cursors")
        try fuzzer.run { input, random in
            let count = Int.random(in: 0...3, using: &random)
            let text = String(decoding: input, as: UTF8.self)
            guard let cursor = try? Cursor(text: text, of: "rooms", partCount: count) else { return nil }
            guard cursor.parts.count == count else { return "\(cursor.parts.count) parts" }
            let again = try? Cursor(text: cursor.text, of: "rooms", partCount: count)
            return again == cursor ? nil : "another one comes back: \(cursor)"
        }
    }
}
