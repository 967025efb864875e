import Foundation

/// What something costs beside a reference that was measured in turn with it: on a shared machine only the ratio of two
/// neighbours means anything.
struct CostReport: Codable, Equatable {
    struct Spread: Codable, Equatable {
        var min: Double
        var median: Double
        var max: Double

        /// - Parameter values: at least one.
        init(_ values: [Double]) {
            let sorted = values.sorted()
            min = sorted.first ?? 0
            max = sorted.last ?? 0
            median = sorted.isEmpty ? 0 : (sorted[(sorted.count - 1) / 2] + sorted[sorted.count / 2]) / 2
        }

        func text(_ unit: String) -> String {
            String(format: "%8.2f %8.2f %8.2f %@", min, median, max, unit)
        }
    }

    struct Line: Codable, Equatable {
        var name: String
        var unit: String
        var measured: Spread
        var reference: Spread?
        var ratio: Spread?

        /// - Parameter pairs: a measurement and the reference's that was made beside it.
        init(_ name: String, unit: String, pairs: [(measured: Double, reference: Double)]) {
            self.name = name
            self.unit = unit
            measured = Spread(pairs.map(\.measured))
            reference = Spread(pairs.map(\.reference))
            ratio = Spread(pairs.map { $0.measured / $0.reference })
        }

        init(_ name: String, unit: String, values: [Double]) {
            self.name = name
            self.unit = unit
            measured = Spread(values)
        }
    }

    var title: String
    var lines: [Line]
    var errors: [String: Int] = [:]

    var text: String {
        let rows = lines.flatMap { line -> [String] in
            var rows = ["  \(line.name)", "    measured  \(line.measured.text(line.unit))"]
            if let reference = line.reference, let ratio = line.ratio {
                rows += ["    reference \(reference.text(line.unit))", "    ratio     \(ratio.text("×"))"]
            }
            return rows
        }
        let faults = errors.sorted { $0.key < $1.key }.map { "  error     \($1) × \($0)" }
        return (["chat bench \(title)", "                   min   median      max"] + rows + faults)
            .joined(separator: "\n")
    }

    /// Prints it and, if a file is named, writes it there as JSON.
    func publish(json file: String?) throws {
        Terminal.say(text)
        try ReportFile.write(self, to: file)
    }
}
