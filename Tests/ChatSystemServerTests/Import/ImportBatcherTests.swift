import ChatStorage
import CommonUtil
import Testing

@testable import ChatSystemServer

/// Which lines share a transaction, and what the answer says of them.
@Suite(.timeLimit(.minutes(1))) struct ImportBatcherTests {
    private func batches(_ text: String) -> [ImportBatch] {
        var batcher = ImportBatcher(ImportLineReader(scopes: [.users]))
        batcher.append(Array(text.utf8))
        var batches: [ImportBatch] = []
        while let batch = batcher.next() { batches.append(batch) }
        if let batch = batcher.last() { batches.append(batch) }
        return batches
    }

    private func user(_ number: Int, name: String = "x") -> String {
        #"{"user": {"externalId": "\#(number)", "displayName": "\#(name)"}}"# + "\n"
    }

    @Test func `a batch has a thousand lines, the last one what is left`() {
        let batches = batches((1...2_500).map { user($0) }.joined())
        #expect(batches.map(\.lines.count) == [1_000, 1_000, 500])
        #expect(batches.map(\.lastNumber) == [1_000, 2_000, 2_500])
        #expect(batches.map(\.endsSum) == [true, true, false])
        #expect(self.batches("").isEmpty && self.batches("\n \r\n\n").isEmpty)
    }

    @Test func `a batch of large lines is smaller, and sums still follow each thousand`() {
        let padding = String(repeating: " ", count: 10_000)
        let batches = batches((1...1_100).map { padding + user($0) }.joined())
        #expect(batches.allSatisfy { $0.lines.count <= 105 })
        #expect(batches.filter(\.endsSum).map(\.lastNumber) == [1_000])
        #expect(batches.flatMap(\.lines).map(\.number) == Array(1...1_100))
    }

    @Test func `bad lines are in their places, and blank ones only count in numbers`() {
        let large = String(repeating: "x", count: ImportLineReader.maximumBytes + 1)
        let room = ImportLineReader.maximumBytes - user(3).utf8.count + 1
        let fits = user(3).dropLast() + String(repeating: " ", count: room)
        let lines = batches(user(1) + "\n" + large + "\nnonsense\n" + fits + "\n" + user(4).dropLast())[0].lines
        #expect(lines.map(\.number) == [1, 3, 4, 5, 6])
        let codes = lines.map { line -> ErrorCode? in
            if case .failure(let error) = line.content { error.code } else { nil }
        }
        #expect(codes == [nil, .lineTooLarge, .malformedJSON, nil, nil])
    }

    // MARK: The answer

    private func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

    @Test func `the answer names refused lines, then the sums so far`() {
        var report = ImportReport()
        let batches = batches((1...1_001).map { user($0) }.joined())
        let refusal = ImportOutcome.refused(ChatError(.usernameTaken))
        let outcomes = [refusal, .changed, .same] + Array(repeating: ImportOutcome.made, count: 997)
        #expect(
            text(report.add(batches[0], outcomes))
                == #"{"line":1,"result":"refused","code":"username_taken","detail":"This username is taken"}"# + "\n"
                + #"{"line":1000,"made":997,"changed":1,"same":1,"refused":1}"# + "\n")
        #expect(report.add(batches[1], [.made]).isEmpty)
        #expect(
            text(report.done)
                == #"{"done":true,"lines":1001,"made":998,"changed":1,"same":1,"refused":1}"# + "\n")
        #expect(
            text(report.brokenOff(ChatError(.unavailable, "Away")))
                == #"{"line":1001,"result":"broken_off","code":"unavailable","detail":"Away"}"# + "\n")
    }

    @Test func `ten thousand refusals are named, all are counted`() {
        var report = ImportReport()
        let refusals = Array(repeating: ImportOutcome.refused(ChatError(.scope)), count: 1_000)
        var answer = ""
        for batch in batches((1...11_000).map { user($0) }.joined()) { answer += text(report.add(batch, refusals)) }
        #expect(answer.split(separator: "\n").count { $0.contains("\"result\":\"refused\"") } == 10_000)
        #expect(answer.hasSuffix(#"{"line":11000,"made":0,"changed":0,"same":0,"refused":11000}"# + "\n"))
    }
}
