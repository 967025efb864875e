import Foundation

/// The table that `chat-lab faults` prints: Markdown, aligned, so that it reads well in a terminal and in the README.
struct FaultTable {
    private static let heads = [
        "fault", "messages", "sessions", "acknowledged", "lost", "doubled", "reordered", "longest delay", "bound",
        "proof that it bit", "verdict",
    ]

    let rows: [FaultRow]

    var text: String { MarkdownTable(heads: Self.heads, rows: rows.map(Self.cells)).text }

    private static func cells(_ row: FaultRow) -> [String] {
        [
            row.fault, "\(row.messages)", "\(row.sessions)", "\(row.acknowledged)", "\(row.lost)", "\(row.doubled)",
            "\(row.reordered)", seconds(row.longestDelaySeconds),
            bound(row),
            (row.proof + row.measures).joined(separator: ", "),
            row.isClean ? "ok" : "FAILED: " + row.problems.joined(separator: "; "),
        ]
    }

    private static func bound(_ row: FaultRow) -> String {
        guard let bound = row.delayBoundSeconds else { return "–" }
        return row.slack == 1
            ? "≤ \(seconds(bound))" : "≤ \(seconds(bound * Double(row.slack))) (\(row.slack) × \(seconds(bound)))"
    }

    private static func seconds(_ value: Double) -> String { String(format: "%.2f s", value) }

    /// Writes the rows as JSON.
    func write(json file: String) throws {
        try ReportFile.write(rows, to: file)
    }
}
