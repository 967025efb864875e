/// An error reported by the server (libpq manual, `PQresultErrorField`), without the fields that may quote values of
/// rows.
public struct PostgresServerError: Sendable, Hashable {
    /// The error code.
    public let sqlState: SQLState
    /// The primary message.
    public let message: String
    /// The name of the violated constraint.
    public let constraint: String?
    /// The table of the violated constraint.
    public let table: String?

    /// Whether the server ended the session with this error (severity FATAL or PANIC).
    public let isFatal: Bool

    /// Whether a prepared statement no longer fits the tables, or does not exist, and must be prepared again.
    public let isStalePlan: Bool

    /// Describes an error.
    public init(
        sqlState: SQLState, message: String, constraint: String? = nil, table: String? = nil, isFatal: Bool = false,
        isStalePlan: Bool = false
    ) {
        self.sqlState = sqlState
        self.message = message
        self.constraint = constraint
        self.table = table
        self.isFatal = isFatal
        self.isStalePlan = isStalePlan
    }
}

// By class and severity, not by a list of codes, which would never be complete.
extension PostgresServerError {
    /// Whether the same request may succeed later, perhaps on another connection or server: conflicts between
    /// transactions, missing resources, intervention of an operator or the system, a read-only server.
    public var isTransient: Bool {
        if isFatal || isStalePlan { return true }
        return switch sqlState.errorClass {
        // Connection, transaction state, prepared statement, rollback, resources, operator, system.
        case "08", "25", "26", "40", "53", "57", "58": true
        default: [.lockNotAvailable, .objectInUse, .duplicatePreparedStatement].contains(sqlState)
        }
    }

    /// Whether the connection cannot be used after this error: it is ending, its server is read-only, or its session
    /// has statements that this client did not prepare.
    public var makesConnectionUnusable: Bool {
        if isFatal { return true }
        return switch sqlState.errorClass {
        case "08": true
        case "57": sqlState != .queryCanceled
        default: [.readOnlyTransaction, .duplicatePreparedStatement].contains(sqlState)
        }
    }

    /// Whether the server lacks disk space or memory, or its system fails.
    public var isLackOfResources: Bool { ["53", "58"].contains(sqlState.errorClass) }

    /// Whether the server itself does not know if the transaction was committed.
    public var isOutcomeUnknown: Bool {
        sqlState == .transactionResolutionUnknown || sqlState == .statementCompletionUnknown
    }
}

extension PostgresServerError: CustomStringConvertible {
    /// State, message and the name of the violated constraint.
    public var description: String {
        let constraint = constraint.map { " (constraint \($0))" } ?? ""
        return "\(sqlState): \(message)\(constraint)"
    }
}

/// A five-character error code of the server (PostgreSQL manual, appendix A "PostgreSQL Error Codes").
public struct SQLState: RawRepresentable, Sendable, Hashable {
    /// The five characters.
    public let rawValue: String

    /// Makes a code from its five characters.
    public init(rawValue: String) {
        self.rawValue = rawValue
    }

    /// The first two characters: the class of the error, e.g. `23` for a violated constraint.
    public var errorClass: Substring { rawValue.prefix(2) }

    /// Class 0A: the server does not support it.
    public static let featureNotSupported = SQLState(rawValue: "0A000")

    // Class 22 and 23: the data or a constraint.
    public static let divisionByZero = SQLState(rawValue: "22012")
    /// A unique index has the key already.
    public static let uniqueViolation = SQLState(rawValue: "23505")

    // Class 08: the connection.
    /// The connection failed during `COMMIT`: the transaction may have been committed.
    public static let transactionResolutionUnknown = SQLState(rawValue: "08007")

    // Class 25 and 40: the transaction.
    /// A write on a standby, or after a failover has made the server one.
    public static let readOnlyTransaction = SQLState(rawValue: "25006")
    public static let noActiveTransaction = SQLState(rawValue: "25P01")
    /// A statement after a failed one of the same transaction.
    public static let inFailedTransaction = SQLState(rawValue: "25P02")
    /// The server ended the session, by `idle_in_transaction_session_timeout`.
    public static let idleInTransactionTimeout = SQLState(rawValue: "25P03")
    /// A pooler lost its server: the statement may have been carried out.
    public static let statementCompletionUnknown = SQLState(rawValue: "40003")
    /// The transaction has to be repeated as a whole.
    public static let serializationFailure = SQLState(rawValue: "40001")
    /// The transaction was chosen to end a deadlock, and has to be repeated.
    public static let deadlockDetected = SQLState(rawValue: "40P01")

    // Class 26 and 42: the statement, privileges.
    /// The prepared statement is not there: behind a pooler, it was prepared on another server.
    public static let invalidStatementName = SQLState(rawValue: "26000")
    public static let insufficientPrivilege = SQLState(rawValue: "42501")
    /// The prepared statement is there already.
    public static let duplicatePreparedStatement = SQLState(rawValue: "42P05")
    public static let syntaxError = SQLState(rawValue: "42601")

    // Class 53, 55 and 57: resources, locks, the operator.
    public static let diskFull = SQLState(rawValue: "53100")
    public static let objectInUse = SQLState(rawValue: "55006")
    /// The lock was not had within `lock_timeout`, or at once with `NOWAIT`.
    public static let lockNotAvailable = SQLState(rawValue: "55P03")
    /// By `statement_timeout` or a cancel request.
    public static let queryCanceled = SQLState(rawValue: "57014")
    /// The server is being stopped, or the session was ended by an administrator.
    public static let adminShutdown = SQLState(rawValue: "57P01")
}

extension SQLState: CustomStringConvertible {
    public var description: String { rawValue }
}
