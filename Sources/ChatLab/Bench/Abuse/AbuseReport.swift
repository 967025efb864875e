import ChatLocalStack

/// What attacks did to the servers and to ordinary clients.
struct AbuseReport: Codable, Sendable {
    /// One server during an attack.
    struct Server: Codable, Sendable {
        var name: String
        /// Resident memory in MB: before the attack, at its highest during it, and 10 s after it.
        var before: Double
        var highest: Double
        var after: Double
        /// Share of a core, in percent.
        var processor: Double
    }

    struct Row: Codable, Sendable {
        var attack: String
        var servers: [Server]
        /// Megabytes by which any server may grow.
        var bound: Double
        /// p99 in milliseconds, before the attack and during it.
        var posts: [Double]
        var deliveries: [Double]
        var sentMegabytes: Double
        var connected: Int
        var ended: Int
        var problems: [String] = []
    }

    /// How many times as long an ordinary client's p99 may be during an attack.
    static let allowedRatio = 3.0
    /// A p99 before the attack is taken for this at least, so that noise does not decide.
    static let floorMilliseconds = 10.0

    var rows: [Row] = []

    var isClean: Bool { rows.allSatisfy { $0.problems.isEmpty } }

    /// A Markdown table.
    var text: String {
        MarkdownTable(
            heads: [
                "attack", "memory: system", "message", "WebSocket", "10 s after", "bound",
                "processor: system, message, WebSocket",
                "p99 of a post", "of a delivery", "sent, connections made · ended", "verdict",
            ],
            rows: rows.map(Self.cells)
        ).text
    }

    fileprivate static func cells(_ row: Row) -> [String] {
        let growth = row.servers.map { "+\(megabytes($0.highest - $0.before))" }
        let after = row.servers.map { megabytes($0.after - $0.before, signed: true) }
        return [row.attack] + growth + [
            after.joined(separator: " · ") + " MB", "+\(megabytes(row.bound)) MB",
            row.servers.map { "\(Int($0.processor)) %" }.joined(separator: " · "),
            "\(tenths(row.posts[1])) ms (\(tenths(row.posts[0])))",
            "\(tenths(row.deliveries[1])) ms (\(tenths(row.deliveries[0])))",
            "\(tenths(row.sentMegabytes)) MB, \(row.connected) · \(row.ended)",
            row.problems.isEmpty ? "ok" : "FAILED: " + row.problems.joined(separator: "; "),
        ]
    }

    private static func megabytes(_ value: Double, signed: Bool = false) -> String {
        (signed && value >= 0 ? "+" : "") + "\(Int(value.rounded()))"
    }

    private static func tenths(_ value: Double) -> String { "\((value * 10).rounded() / 10)" }
}

extension AbuseReport.Row {
    /// Judges memory and p99s.
    init(
        _ attack: Attack, servers: [AbuseReport.Server], quiet: OrdinaryClients.Outcome, busy: OrdinaryClients.Outcome,
        counts: ConnectionCounts
    ) {
        func p99(_ histogram: LatencyHistogram) -> Double { Double(histogram.value(at: 0.99)) / 1e6 }
        self.init(
            attack: attack.name, servers: servers, bound: attack.megabytes,
            posts: [p99(quiet.posts), p99(busy.posts)], deliveries: [p99(quiet.deliveries), p99(busy.deliveries)],
            sentMegabytes: Double(counts.sentBytes) / 1e6, connected: counts.connected, ended: counts.ended)
        for server in servers where server.highest - server.before > attack.megabytes {
            problems.append("\(server.name) grew by more than \(Int(attack.megabytes)) MB")
        }
        for (name, values) in [("posts", posts), ("deliveries", deliveries)]
        where values[1] > Self.longest(beside: values[0]) {
            problems.append("p99 of \(name) more than \(Int(AbuseReport.allowedRatio)) times as long")
        }
        let errors = quiet.errors + busy.errors
        if errors > 0 { problems.append("\(errors) ordinary posts not accepted") }
        let missing = quiet.missing + busy.missing
        if missing > 0 { problems.append("\(missing) deliveries missing") }
        if counts.connected == 0 { problems.append("the attack did not take place") }
    }

    /// The row in one line, for the terminal.
    var summary: String { AbuseReport.cells(self).dropFirst().joined(separator: " | ") }

    /// The longest p99 that is allowed where it was `quiet` before.
    static func longest(beside quiet: Double) -> Double {
        max(quiet, AbuseReport.floorMilliseconds) * AbuseReport.allowedRatio
    }
}
