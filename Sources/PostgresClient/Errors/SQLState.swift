/// A five-character error code of the server (PostgreSQL manual, appendix A "PostgreSQL Error Codes").
public struct SQLState: RawRepresentable, Sendable, Hashable {
    public let rawValue: String

    public init(rawValue: String) {
        self.rawValue = rawValue
    }

    /// The first two characters: the class of the error, e.g. `23` for a violated constraint.
    public var errorClass: Substring { rawValue.prefix(2) }

    // Class 0A: what the server does not do.
    public static let featureNotSupported = SQLState(rawValue: "0A000")

    // Class 22 and 23: the data or a constraint.
    public static let stringDataRightTruncation = SQLState(rawValue: "22001")
    public static let divisionByZero = SQLState(rawValue: "22012")
    public static let characterNotInRepertoire = SQLState(rawValue: "22021")
    public static let notNullViolation = SQLState(rawValue: "23502")
    public static let foreignKeyViolation = SQLState(rawValue: "23503")
    public static let uniqueViolation = SQLState(rawValue: "23505")
    public static let checkViolation = SQLState(rawValue: "23514")

    // Class 08: the connection.
    public static let transactionResolutionUnknown = SQLState(rawValue: "08007")

    // Class 25 and 40: the transaction.
    public static let readOnlyTransaction = SQLState(rawValue: "25006")
    public static let noActiveTransaction = SQLState(rawValue: "25P01")
    public static let inFailedTransaction = SQLState(rawValue: "25P02")
    public static let idleInTransactionTimeout = SQLState(rawValue: "25P03")
    public static let statementCompletionUnknown = SQLState(rawValue: "40003")
    public static let serializationFailure = SQLState(rawValue: "40001")
    public static let deadlockDetected = SQLState(rawValue: "40P01")

    // Class 26, 28, 3D and 42: the statement, the login, rights, the schema.
    public static let invalidStatementName = SQLState(rawValue: "26000")
    public static let invalidPassword = SQLState(rawValue: "28P01")
    public static let invalidDatabaseName = SQLState(rawValue: "3D000")
    public static let insufficientPrivilege = SQLState(rawValue: "42501")
    public static let duplicatePreparedStatement = SQLState(rawValue: "42P05")
    public static let syntaxError = SQLState(rawValue: "42601")
    public static let undefinedTable = SQLState(rawValue: "42P01")

    // Class 53, 55 and 57: resources, locks, the operator.
    public static let diskFull = SQLState(rawValue: "53100")
    public static let tooManyConnections = SQLState(rawValue: "53300")
    public static let objectInUse = SQLState(rawValue: "55006")
    public static let lockNotAvailable = SQLState(rawValue: "55P03")
    public static let queryCanceled = SQLState(rawValue: "57014")
    public static let adminShutdown = SQLState(rawValue: "57P01")
    public static let crashShutdown = SQLState(rawValue: "57P02")
    public static let cannotConnectNow = SQLState(rawValue: "57P03")
}

extension SQLState: CustomStringConvertible {
    public var description: String { rawValue }
}
