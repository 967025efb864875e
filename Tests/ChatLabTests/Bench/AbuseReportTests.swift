import ChatLocalStack
import Testing

@testable import ChatLab

@Suite(.timeLimit(.minutes(1))) struct AbuseReportTests {
    private static let attack = Attack(name: "test", summary: "A test", megabytes: 40, prepare: { _ in [] })

    /// A row of one server, with a p99 of 5 ms before the attack.
    private func row(
        growth: Double = 10, p99 milliseconds: UInt64 = 5, change: (inout OrdinaryClients.Outcome) -> Void = { _ in },
        connected: Int = 1
    ) -> AbuseReport.Row {
        var quiet = OrdinaryClients.Outcome()
        quiet.posts.record(nanoseconds: 5_000_000)
        quiet.deliveries.record(nanoseconds: 5_000_000)
        var busy = OrdinaryClients.Outcome()
        busy.posts.record(nanoseconds: milliseconds * 1_000_000)
        busy.deliveries.record(nanoseconds: 5_000_000)
        change(&busy)
        let server = AbuseReport.Server(name: "server", before: 50, highest: 50 + growth, after: 52, processor: 12)
        return AbuseReport.Row(
            Self.attack, servers: [server, server, server], quiet: quiet, busy: busy,
            counts: ConnectionCounts(sentBytes: 2_000_000, connected: connected, ended: 0))
    }

    @Test func `an attack within the bounds of memory and time is no problem`() {
        let report = AbuseReport(rows: [row(), row(growth: 40, p99: 30)])
        #expect(report.isClean)
        #expect(report.text.split(separator: "\n").count == 4)
    }

    @Test func `memory beyond the bound of the attack is a problem`() {
        #expect(row(growth: 41).problems == Array(repeating: "server grew by more than 40 MB", count: 3))
    }

    @Test func `a p99 more than three times that of before is a problem, which counts as 10 ms at least`() {
        #expect(row(p99: 31).problems == ["p99 of posts more than 3 times as long"])
        #expect(AbuseReport.Row.longest(beside: 20) == 60)
    }

    @Test
    func `posts that are not accepted, deliveries that are missing, and an attack that connects nowhere, are problems`()
    {
        let row = row(change: { ($0.errors, $0.missing) = (2, 3) }, connected: 0)
        #expect(
            row.problems == ["2 ordinary posts not accepted", "3 deliveries missing", "the attack did not take place"])
    }

    @Test func `attacks have names of their own and a bound`() {
        #expect(Set(Attack.all.map(\.name)).count == Attack.all.count)
        #expect(Attack.all.allSatisfy { $0.megabytes > 0 && !$0.summary.isEmpty })
    }
}
