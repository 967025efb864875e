import ChatLocalStack
import Foundation

/// A report as a JSON file for other programs.
enum ReportFile {
    /// Writes the report with sorted keys; does nothing if `file` is nil.
    static func write(_ report: some Encodable, to file: String?) throws {
        guard let file else { return }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        try encoder.encode(report).write(to: URL(fileURLWithPath: file))
    }
}

/// A Markdown table whose columns are aligned, so that it reads well in a terminal, too.
struct MarkdownTable {
    let heads: [String]
    let rows: [[String]]

    var text: String {
        let cells = [heads] + rows
        let widths = heads.indices.map { column in cells.map { $0[column].count }.max() ?? 0 }
        func line(_ row: [String]) -> String {
            let padded = zip(row, widths).map { $0 + String(repeating: " ", count: $1 - $0.count) }
            return "| " + padded.joined(separator: " | ") + " |"
        }
        let rule = "|" + widths.map { String(repeating: "-", count: $0 + 2) }.joined(separator: "|") + "|"
        return ([line(cells[0]), rule] + cells.dropFirst().map(line)).joined(separator: "\n")
    }
}

/// The repository that the running program was built in.
enum Repository {
    /// The path of a file of the repository.
    /// - Parameter folder: a folder in the repository; by default that of the running program.
    /// - Throws: ``NotInRepository``.
    static func path(of file: String, above folder: String = BuildFolder.current) throws -> String {
        var folder = URL(fileURLWithPath: folder)
        while folder.path != "/" {
            if FileManager.default.fileExists(atPath: folder.appendingPathComponent("Package.swift").path) {
                return folder.appendingPathComponent(file).path
            }
            folder.deleteLastPathComponent()
        }
        throw NotInRepository(file: file)
    }

    struct NotInRepository: Error, CustomStringConvertible {
        let file: String
        var description: String { "This program is in no repository, so \(file) is not found" }
    }
}
