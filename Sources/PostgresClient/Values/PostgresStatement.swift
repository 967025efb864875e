/// SQL with `$1`, `$2` … for its parameters. Keep it in a `static let`.
///
/// Each connection prepares it at its first use there, and runs it by name from then on.
public struct PostgresStatement: Sendable, Hashable {
    /// The text.
    public let sql: String
    private let hash: Int

    /// Makes a statement, and hashes its text once.
    public init(_ sql: String) {
        self.sql = sql
        hash = sql.hashValue
    }

    // The text is hashed once, since every request looks its statement up.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(hash)
    }
}

extension PostgresStatement: ExpressibleByStringLiteral {
    /// Makes a statement of a literal.
    public init(stringLiteral sql: String) {
        self.init(sql)
    }
}

/// One statement with the values for its parameters.
public struct PostgresCommand: Sendable, Hashable {
    public var statement: PostgresStatement
    /// The values of `$1`, `$2` …
    public var parameters: [PostgresParameter]

    /// Pairs a statement with values.
    public init(_ statement: PostgresStatement, _ parameters: [PostgresParameter]) {
        self.statement = statement
        self.parameters = parameters
    }

    /// Pairs a statement with values.
    public init(_ statement: PostgresStatement, _ parameters: PostgresParameter...) {
        self.init(statement, parameters)
    }
}
