import Foundation

/// A report as JSON for other programs, beside what the terminal shows.
enum ReportFile {
    /// Writes it in full, with its keys in order; does nothing where no file is named.
    static func write(_ report: some Encodable, to file: String?) throws {
        guard let file else { return }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        try encoder.encode(report).write(to: URL(fileURLWithPath: file))
    }
}
