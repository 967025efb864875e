import ChatStorage
import CommonUtil

/// The answer to an import: JSON objects, one a line. Pure.
struct ImportReport {
    /// Refused lines that are named, at most. All are counted.
    static let maximumRefusals = 10_000

    private var lines = 0
    private var made = 0
    private var changed = 0
    private var same = 0
    private var refused = 0
    /// The last line that is committed.
    private(set) var lastNumber = 0

    /// Notes a batch that is committed.
    /// - Parameter outcomes: one for each of its lines.
    /// - Returns: the refused lines and, where they are due, the sums so far.
    mutating func add(_ batch: ImportBatch, _ outcomes: [ImportOutcome]) -> [UInt8] {
        var text: [UInt8] = []
        for (line, outcome) in zip(batch.lines, outcomes) {
            lines += 1
            switch outcome {
            case .made: made += 1
            case .changed: changed += 1
            case .same: same += 1
            case .refused(let error):
                refused += 1
                if refused <= Self.maximumRefusals { text += Self.refusal("refused", line.number, error) }
            }
        }
        lastNumber = batch.lastNumber
        if batch.endsSum {
            text += Self.line { writer in
                writer.member("line", Int64(lastNumber))
                writeSums(to: &writer)
            }
        }
        return text
    }

    /// The last line of an import that has reached its end.
    var done: [UInt8] {
        Self.line { writer in
            writer.member("done", true)
            writer.member("lines", Int64(lines))
            writeSums(to: &writer)
        }
    }

    /// The last line of an import that ends before: what is committed stays, and all can be sent again.
    func brokenOff(_ error: ChatError) -> [UInt8] { Self.refusal("broken_off", lastNumber, error) }

    private func writeSums(to writer: inout JSONWriter) {
        writer.member("made", Int64(made))
        writer.member("changed", Int64(changed))
        writer.member("same", Int64(same))
        writer.member("refused", Int64(refused))
    }

    private static func refusal(_ result: String, _ number: Int, _ error: ChatError) -> [UInt8] {
        line { writer in
            writer.member("line", Int64(number))
            writer.member("result", result)
            writer.member("code", error.code.rawValue)
            writer.member("detail", error.detail)
        }
    }

    private static func line(_ members: (inout JSONWriter) -> Void) -> [UInt8] {
        var writer = JSONWriter()
        writer.object(members)
        return writer.bytes + [UInt8(ascii: "\n")]
    }
}
