import Foundation

/// The result of a bench, as text and as JSON: each figure with its spread and, where there is one, a reference that was
/// measured in turn with it. On a shared machine only the ratio of the two is meaningful.
struct BenchReport: Codable, Equatable, Sendable {
    struct Line: Codable, Equatable, Sendable {
        var name: String
        var unit: String
        var measured: Spread
        /// The name of the reference, e.g. "pgbench, one row a transaction".
        var referenceName: String?
        var reference: Spread?
        var ratio: Spread?
        /// What the median of the ratio, or without a reference of the figure, may be at most.
        var bound: Double?
        /// The same figure divided by its bound.
        var shareOfBound: Spread?

        var isWithinBound: Bool { shareOfBound.map { $0.median <= 1 } ?? true }

        /// The same line with a bound.
        func within(_ bound: Double) -> Line {
            let figure = ratio ?? measured
            var line = self
            line.bound = bound
            line.shareOfBound = Spread([figure.min, figure.median, figure.max].map { $0 / bound })
            return line
        }

        init(_ name: String, unit: String, _ values: [Double]) {
            self.name = name
            self.unit = unit
            measured = Spread(values)
        }

        /// - Parameter reference: the reference measured beside each value, in the same order.
        init(_ name: String, unit: String, _ values: [Double], beside referenceName: String, _ reference: [Double]) {
            self.init(name, unit: unit, values)
            self.referenceName = referenceName
            self.reference = Spread(reference)
            ratio = Spread(zip(values, reference).map { $0 / $1 })
        }
    }

    /// The bench and its parameters, e.g. "post: 64 clients, 8 rooms".
    var title: String
    var lines: [Line]
    /// Accepted messages that did not arrive, or are not in the log.
    var losses = 0
    var duplicates = 0
    var errors: [String: Int] = [:]
    var notes: [String] = []

    var isClean: Bool {
        losses == 0 && duplicates == 0 && errors.isEmpty && lines.allSatisfy(\.isWithinBound)
    }

    var text: String {
        var rows = ["chat-lab bench \(title)", Self.row("", ["min", "median", "max"], "")]
        for line in lines {
            rows.append("  \(line.name)")
            rows.append(Self.row("measured", line.measured, line.unit))
            if let reference = line.reference, let ratio = line.ratio {
                rows.append(Self.row("reference", reference, "\(line.unit)  (\(line.referenceName ?? ""))"))
                rows.append(Self.row("ratio", ratio, "×"))
            }
            if let bound = line.bound, let share = line.shareOfBound {
                let verdict = line.isWithinBound ? "" : ": MISSED"
                rows.append(Self.row("÷ bound", share, String(format: "(bound %g)", bound) + verdict))
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

/// The minimum, the median and the maximum of several measurements.
struct Spread: Codable, Equatable, Sendable {
    var min: Double
    var median: Double
    var max: Double

    /// - Parameter values: without any, all three are 0.
    init(_ values: [Double]) {
        let sorted = values.sorted()
        min = sorted.first ?? 0
        max = sorted.last ?? 0
        median = sorted.isEmpty ? 0 : (sorted[(sorted.count - 1) / 2] + sorted[sorted.count / 2]) / 2
    }
}
