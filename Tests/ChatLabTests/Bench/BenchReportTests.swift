import Foundation
import Testing

@testable import ChatLab

@Suite(.timeLimit(.minutes(2))) struct BenchReportTests {
    @Test(arguments: [[3.0, 1, 2], [7], [2, 2]])
    func `a spread has the least, the middle and the greatest value`(values: [Double]) {
        let spread = Spread(values)
        #expect(spread.min == values.min())
        #expect(spread.max == values.max())
        #expect(values.contains(spread.median))
    }

    @Test func `the median of an even number of values is between the two middle ones`() {
        #expect(Spread([4, 1, 3, 2]).median == 2.5)
        #expect(Spread([9, 1, 5]).median == 5)
        #expect(Spread([]) == Spread([0]))
    }

    @Test func `each value is divided by the reference that was measured beside it`() {
        let line = BenchReport.Line("post", unit: "/s", [10, 30], beside: "pgbench", [20, 10])
        #expect(line.ratio == Spread([0.5, 3]))
        #expect(line.reference == Spread([10, 20]))
    }

    @Test func `a bench's report is clean only without losses, duplicates and errors`() {
        let report = BenchReport(title: "x", lines: [])
        #expect(report.isClean)
        for flaw in [{ $0.losses = 1 }, { $0.duplicates = 1 }, { $0.errors = ["HTTP 503": 1] }]
            as [(inout BenchReport) -> Void]
        {
            var flawed = report
            flaw(&flawed)
            #expect(!flawed.isClean)
        }
    }

    @Test func `a bound is judged by the median of the ratio, or of the figure where there is no reference`() {
        let ratio = BenchReport.Line("p99", unit: "ms", [1, 2, 9], beside: "room sockets", [1, 1, 1]).within(2)
        #expect(ratio.shareOfBound == Spread([0.5, 1, 4.5]))
        #expect(ratio.isWithinBound)
        let figure = BenchReport.Line("time", unit: "s", [9, 11, 12]).within(10)
        #expect(!figure.isWithinBound)
        let report = BenchReport(title: "x", lines: [ratio, figure])
        #expect(!report.isClean)
        #expect(report.text.contains("(bound 10): MISSED"))
    }

    @Test func `a bench's report shows a line, its reference and what went wrong, and is the same after JSON`() throws {
        var report = BenchReport(
            title: "post", lines: [.init("accepted posts", unit: "/s", [1, 3], beside: "pgbench", [2, 2])])
        report.errors = ["HTTP 503": 2]
        #expect(report.text.contains("accepted posts"))
        #expect(report.text.contains("(pgbench)"))
        #expect(report.text.contains("1.00        2.00        3.00 /s"))
        #expect(report.text.contains("error: 2 × HTTP 503"))
        #expect(try JSONDecoder().decode(BenchReport.self, from: JSONEncoder().encode(report)) == report)
    }
}
