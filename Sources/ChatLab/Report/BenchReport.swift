import Foundation

/// What a bench found, for the eye and as JSON: each figure with its spread and, where there is one, beside a reference
/// that was measured in turn with it. On a shared machine only the ratio of two neighbours means anything.
struct BenchReport: Codable, Equatable, Sendable {
    struct Line: Codable, Equatable, Sendable {
        var name: String
        var unit: String
        var measured: Spread
        /// What `reference` is of, e.g. "pgbench, one row a transaction".
        var referenceName: String?
        var reference: Spread?
        var ratio: Spread?

        init(_ name: String, unit: String, _ values: [Double]) {
            self.name = name
            self.unit = unit
            measured = Spread(values)
        }

        /// - Parameter reference: what was measured beside each of the values, in the same order.
        init(_ name: String, unit: String, _ values: [Double], beside referenceName: String, _ reference: [Double]) {
            self.init(name, unit: unit, values)
            self.referenceName = referenceName
            self.reference = Spread(reference)
            ratio = Spread(zip(values, reference).map { $0 / $1 })
        }
    }

    /// What was done, e.g. "post: 64 clients, 8 rooms".
    var title: String
    var lines: [Line]
    /// What was accepted and did not arrive, or is not in the log.
    var losses = 0
    var duplicates = 0
    var errors: [String: Int] = [:]
    var notes: [String] = []

    var isClean: Bool { losses == 0 && duplicates == 0 && errors.isEmpty }

    var text: String {
        var rows = ["chat-lab bench \(title)", Self.row("", ["min", "median", "max"], "")]
        for line in lines {
            rows.append("  \(line.name)")
            rows.append(Self.row("measured", line.measured, line.unit))
            if let reference = line.reference, let ratio = line.ratio {
                rows.append(Self.row("reference", reference, "\(line.unit)  (\(line.referenceName ?? ""))"))
                rows.append(Self.row("ratio", ratio, "×"))
            }
        }
        rows.append("  losses \(losses), duplicates \(duplicates)\(errors.isEmpty ? ", no errors" : "")")
        rows += errors.sorted { $0.key < $1.key }.map { "  error: \($1) × \($0)" }
        rows += notes.map { "  \($0)" }
        return rows.joined(separator: "\n")
    }

    private static func row(_ name: String, _ spread: Spread, _ unit: String) -> String {
        row(name, [spread.min, spread.median, spread.max].map { String(format: "%.2f", $0) }, unit)
    }

    private static func row(_ name: String, _ cells: [String], _ unit: String) -> String {
        func padding(_ count: Int) -> String { String(repeating: " ", count: max(0, count)) }
        let columns = cells.map { padding(12 - $0.count) + $0 }.joined()
        return "    \(name)\(padding(9 - name.count))\(columns)\(unit.isEmpty ? "" : " \(unit)")"
    }
}
