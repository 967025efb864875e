import ChatLocalStack
import Foundation
import Testing

@testable import ChatLab

@Suite(.timeLimit(.minutes(2))) struct InstructionThresholdsTests {
    private let thresholds = InstructionThresholds(allowancePercent: 5, instructions: ["post": 1000, "connect": 200])

    @Test(arguments: [(1050, false), (1051, true), (10, false)])
    func `thresholds are kept up to the allowance and broken beyond it`(posts: Int, isBroken: Bool) {
        let problems = thresholds.problems(of: ["post": posts, "connect": 200])
        #expect(!problems.isEmpty == isBroken)
        #expect(problems.allSatisfy { $0.contains("post: \(posts) instructions") })
    }

    @Test func `thresholds are broken by the same count when they are smaller`() {
        let counts = ["post": 1000, "connect": 200]
        #expect(thresholds.problems(of: counts).isEmpty)
        var smaller = thresholds
        smaller.instructions["post"] = 900
        #expect(smaller.problems(of: counts).count == 1)
    }

    @Test func `a workload without a threshold or without a count is reported`() {
        let problems = thresholds.problems(of: ["post": 1000, "delivery": 1])
        #expect(problems == ["delivery: no threshold (--update writes one)", "connect: nothing was counted"])
    }

    @Test func `thresholds that are far too high are reported`() {
        #expect(thresholds.slack(over: ["post": 951, "connect": 200]).isEmpty)
        #expect(thresholds.slack(over: ["post": 900, "connect": 200]).count == 1)
    }

    @Test func `the thresholds in the repository name every workload, with an allowance that can be missed`() throws {
        let file = try Repository.path(
            of: InstructionThresholds.file, above: URL(fileURLWithPath: #filePath).deletingLastPathComponent().path)
        let kept = try InstructionThresholds.read(file)
        #expect(Set(kept.instructions.keys) == Set(InstructionWorkloads.names))
        #expect(kept.allowancePercent > 0 && kept.allowancePercent <= 10)
        #expect(kept.problems(of: kept.instructions).isEmpty)
        #expect(kept.problems(of: kept.instructions.mapValues { $0 + $0 / 5 }).count == kept.instructions.count)
    }

    @Test func `thresholds are compared with the totals that callgrind writes`() throws {
        let output = "# callgrind format\nevents: Ir\nfn=(1) a\n1 5\n\ntotals: 3721248\n"
        #expect(try Callgrind.total(in: output) == 3_721_248)
        #expect(throws: LocalStackError.self) { try Callgrind.total(in: "events: Ir\n") }
    }
}
