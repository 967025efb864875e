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

    /// True when a prepared statement no longer fits the tables, or is gone, and must be prepared anew.
    public let isStalePlan: Bool

    public init(
        sqlState: SQLState, message: String, detail: String? = nil, hint: String? = nil, constraint: String? = nil,
        table: String? = nil, column: String? = nil, isFatal: Bool = false,
        isStalePlan: Bool = false
    ) {
        self.sqlState = sqlState
        self.message = message
        self.detail = detail
        self.hint = hint
        self.constraint = constraint
        self.table = table
        self.column = column
        self.isFatal = isFatal
        self.isStalePlan = isStalePlan
    }
}

// Judged by class and severity, not by a list of codes: no list is ever complete.
extension PostgresServerError {
    /// True when the same request may succeed later, perhaps on another connection or another server: conflicts between
    /// transactions, missing resources, an operator's or the system's intervention, a server that must not be written.
    public var isTransient: Bool {
        if isFatal || isStalePlan { return true }
        return switch sqlState.errorClass {
        // Connection, transaction state, prepared statement, rollback, resources, operator, system.
        case "08", "25", "26", "40", "53", "57", "58": true
        default: [.lockNotAvailable, .objectInUse, .duplicatePreparedStatement].contains(sqlState)
        }
    }

    /// True when the connection on which the server said this is of no further use: it is ending, its server takes no
    /// writes, or its session is not what this client takes it for.
    public var condemnsConnection: Bool {
        if isFatal { return true }
        return switch sqlState.errorClass {
        case "08": true
        case "57": sqlState != .queryCanceled
        default: [.readOnlyTransaction, .duplicatePreparedStatement].contains(sqlState)
        }
    }

    /// True when the server could not take what was written: its disk or its memory is full, or fails.
    public var isLackOfResources: Bool { ["53", "58"].contains(sqlState.errorClass) }

    /// True when the server itself does not know whether the transaction was committed.
    public var isOutcomeUnknown: Bool {
        sqlState == .transactionResolutionUnknown || sqlState == .statementCompletionUnknown
    }
}

extension PostgresServerError: CustomStringConvertible {
    /// State, message and the names of what was violated, but no `detail`: that may quote data.
    public var description: String {
        let constraint = constraint.map { " (constraint \($0))" } ?? ""
        return "\(sqlState): \(message)\(constraint)"
    }
}
