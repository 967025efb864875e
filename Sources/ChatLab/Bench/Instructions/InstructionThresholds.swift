import Foundation

/// The numbers of instructions that fixed workloads may take, kept in the repository.
struct InstructionThresholds: Codable, Equatable, Sendable {
    /// The percentage by which a count may exceed its threshold: more than the differences from run to run.
    var allowancePercent: Double
    /// Instructions, by the workload's name.
    var instructions: [String: Int]

    /// The problems: a count that is too high, a count without a threshold, a threshold without a count. Empty if there are
    /// none.
    func problems(of counts: [String: Int]) -> [String] {
        var problems: [String] = []
        for (name, count) in counts.sorted(by: { $0.key < $1.key }) {
            guard let threshold = instructions[name] else {
                problems.append("\(name): no threshold (--update writes one)")
                continue
            }
            guard Double(count) > Double(threshold) * (1 + allowancePercent / 100) else { continue }
            let percent = (Double(count) / Double(threshold) - 1) * 100
            problems.append(
                "\(name): \(count) instructions, \(String(format: "%.1f", percent)) % above \(threshold), "
                    + "\(String(format: "%g", allowancePercent)) % allowed")
        }
        for name in instructions.keys.sorted() where counts[name] == nil {
            problems.append("\(name): nothing was counted")
        }
        return problems
    }

    /// Thresholds that are so far above the present counts that they would hide a regression.
    func slack(over counts: [String: Int]) -> [String] {
        counts.sorted { $0.key < $1.key }.compactMap { name, count in
            guard let threshold = instructions[name],
                Double(count) < Double(threshold) * (1 - allowancePercent / 100)
            else { return nil }
            return "\(name): \(count) instructions are well below \(threshold); --update keeps what was gained"
        }
    }

    // MARK: The file

    static let file = "Benchmarks/instructions.json"

    static func read(_ file: String) throws -> InstructionThresholds {
        try JSONDecoder().decode(Self.self, from: Data(contentsOf: URL(fileURLWithPath: file)))
    }
}
