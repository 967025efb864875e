import PostgresClient
import Testing

@testable import ChatStorage

/// A statement whose plan is looked at, with parameters for it.
struct PlannedStatement: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let statement: PostgresStatement
    /// The types of the parameters, as in `PREPARE`.
    let types: String
    /// Their values, as in `EXECUTE`.
    let values: String
}

extension Store {
    /// Expects that a statement looks rows up by key.
    /// - Parameters:
    ///   - tables: those that grow, which no plan may scan.
    ///   - rows: SQL that fills the tables.
    ///   - hasStatistics: whether PostgreSQL knows what is in them.
    func expectNoScan(
        of tables: [String], by tested: PlannedStatement, rows: String, hasStatistics: Bool,
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        try await client.script(
            tables.map { "ALTER TABLE \($0) SET (autovacuum_enabled = false)" }.joined(separator: ";"))
        try await client.script(rows)
        if hasStatistics { try await client.script("ANALYZE") }
        // With the settings of the servers but for the one that forbids scans.
        let plan = try await client.withConnection { session in
            try await session.execute(
                script: "SET enable_seqscan = on; PREPARE tested (\(tested.types)) AS \(tested.statement.sql)")
            return try await session.query(PostgresStatement("EXPLAIN EXECUTE tested (\(tested.values))"))
                .map { try $0.decode(column: 0, as: String.self) }.joined(separator: "\n")
        }
        for table in tables {
            #expect(!plan.contains("Seq Scan on \(table)"), "\(plan)", sourceLocation: sourceLocation)
        }
    }
}
