/// What the server said when it refused a statement (libpq manual, `PQresultErrorField`).
///
/// `detail` may quote values of the row at hand; keep it out of answers to clients.
public struct PostgresServerError: Sendable, Hashable {
    public let sqlState: SQLState
    public let message: String
    public let detail: String?
    public let hint: String?
    public let constraint: String?
    public let table: String?
    public let column: String?

    /// True when the server ended the session with this error (severity FATAL or PANIC).
    public let isFatal: Bool

    public init(
        sqlState: SQLState, message: String, detail: String? = nil, hint: String? = nil, constraint: String? = nil,
        table: String? = nil, column: String? = nil, isFatal: Bool = false
    ) {
        self.sqlState = sqlState
        self.message = message
        self.detail = detail
        self.hint = hint
        self.constraint = constraint
        self.table = table
        self.column = column
        self.isFatal = isFatal
    }
}

extension PostgresServerError: CustomStringConvertible {
    /// State, message and the names of what was violated, but no `detail`: that may quote data.
    public var description: String {
        let constraint = constraint.map { " (constraint \($0))" } ?? ""
        return "\(sqlState): \(message)\(constraint)"
    }
}
