import CLibPQ

/// Owns one `PGresult` and clears it.
///
/// `@unchecked Sendable`: libpq no longer writes to a result once it has handed it out, and this class only reads it;
/// `PQclear` runs once, when the last reference is gone. So any task may read it without a lock.
final class PostgresResult: @unchecked Sendable {
    private let result: OpaquePointer

    init(owning result: OpaquePointer) {
        self.result = result
    }

    deinit {
        PQclear(result)
    }

    var status: ExecStatusType { PQresultStatus(result) }
    var rowCount: Int { Int(PQntuples(result)) }
    var columnCount: Int { Int(PQnfields(result)) }

    /// The command that ran, e.g. `COMMIT` or `INSERT 0 1`.
    var commandTag: String { PQcmdStatus(result).map { String(cString: $0) } ?? "" }

    /// Rows inserted, updated, deleted or selected; 0 for other commands.
    var affectedRows: Int { PQcmdTuples(result).flatMap { Int(String(cString: $0)) } ?? 0 }

    func columnName(_ column: Int) -> String? {
        PQfname(result, Int32(column)).map { String(cString: $0) }
    }

    /// Position of the column with exactly this name (`PQfnumber` would fold its case).
    func column(named name: String) -> Int? {
        (0..<columnCount).first { columnName($0) == name }
    }

    /// Reads one value where it lies. Row and column must exist.
    func withCell<Value>(
        row: Int, column: Int, _ body: (PostgresCell) throws(PostgresError) -> Value
    ) throws(PostgresError) -> Value {
        let (row, column) = (Int32(row), Int32(column))
        var bytes: UnsafeRawBufferPointer?
        if PQgetisnull(result, row, column) == 0, let start = PQgetvalue(result, row, column) {
            bytes = UnsafeRawBufferPointer(start: start, count: Int(PQgetlength(result, row, column)))
        }
        // The pointer lives as long as the result does.
        defer { withExtendedLifetime(self) {} }
        return try body(PostgresCell(type: PostgresType(rawValue: PQftype(result, column)), bytes: bytes))
    }

    /// One value of a simple query, which all come as text.
    func text(row: Int, column: Int) -> String? {
        PQgetisnull(result, Int32(row), Int32(column)) == 0
            ? PQgetvalue(result, Int32(row), Int32(column)).map { String(cString: $0) } : nil
    }

    // MARK: Errors

    /// What the server said; nil when it was libpq itself that failed, which means that the connection is gone.
    var serverError: PostgresServerError? {
        guard let state = text(of: .sqlState) else { return nil }
        // Poolers leave the untranslated one out.
        let severity = text(of: .untranslatedSeverity) ?? text(of: .severity)
        return PostgresServerError(
            sqlState: SQLState(rawValue: state), message: text(of: .message) ?? "", detail: text(of: .detail),
            hint: text(of: .hint), constraint: text(of: .constraint), table: text(of: .table),
            column: text(of: .column), isFatal: severity == "FATAL" || severity == "PANIC",
            isStalePlan: isStalePlan)
    }

    private var isStalePlan: Bool {
        switch text(of: .sqlState) {
        case SQLState.invalidStatementName.rawValue: true
        case SQLState.featureNotSupported.rawValue: text(of: .sourceFunction) == "RevalidateCachedQuery"
        default: false
        }
    }

    /// `PG_DIAG_…` of `postgres_ext.h`.
    private enum ErrorField: Unicode.Scalar {
        case severity = "S"
        case untranslatedSeverity = "V"
        case sqlState = "C"
        case message = "M"
        case detail = "D"
        case hint = "H"
        case constraint = "n"
        case table = "t"
        case column = "c"
        case sourceFunction = "R"
    }

    private func text(of field: ErrorField) -> String? {
        PQresultErrorField(result, Int32(field.rawValue.value)).map { String(cString: $0) }
    }
}
