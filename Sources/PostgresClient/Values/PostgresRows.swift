import CLibPQ

/// The rows of one statement. They stay in libpq's memory and are decoded when they are read.
public struct PostgresRows: RandomAccessCollection, Sendable {
    let result: PostgresResult

    public let startIndex = 0
    /// The number of rows.
    public var endIndex: Int { result.rowCount }

    /// A row by its position.
    public subscript(position: Int) -> PostgresRow {
        precondition(indices.contains(position), "row out of range")
        return PostgresRow(result: result, row: position)
    }

    /// Rows inserted, updated, deleted or selected; 0 for other commands.
    public var affectedRows: Int { result.affectedRows }
}

/// One row of a result.
public struct PostgresRow: Sendable {
    let result: PostgresResult
    let row: Int

    /// Reads the whole row by position: `let (id, name) = try row.decode(Int64.self, String?.self)`.
    ///
    /// - Throws: ``PostgresError/decoding(_:)`` unless number, types and NULLs of the columns fit.
    public func decode<each Column: PostgresDecodable>(
        _ types: repeat (each Column).Type
    ) throws(PostgresError) -> (repeat each Column) {
        var wanted = 0
        for _ in repeat each types { wanted += 1 }
        guard wanted == result.columnCount else {
            throw .decoding("\(result.columnCount) columns where \(wanted) were expected")
        }
        var column = -1
        func next<Value: PostgresDecodable>(_ type: Value.Type) throws(PostgresError) -> Value {
            column += 1
            return try decode(column: column, as: type)
        }
        return (repeat try next(each types))
    }

    /// Reads one column by its position, from 0.
    /// - Throws: ``PostgresError/decoding(_:)`` unless its type or NULL fits.
    public func decode<Value: PostgresDecodable>(
        column: Int, as type: Value.Type = Value.self
    ) throws(PostgresError) -> Value {
        guard (0..<result.columnCount).contains(column) else { throw .decoding("no column at \(column)") }
        do throws(PostgresError) {
            return try result.withCell(row: row, column: column) { cell throws(PostgresError) in
                try Value.decode(cell)
            }
        } catch {
            guard case .decoding(let reason) = error, let name = result.columnName(column) else { throw error }
            throw .decoding("column \(name): \(reason)")
        }
    }
}

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

    /// Reads one value without copying it. Row and column must exist.
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

    /// The server's error; `nil` if libpq itself failed, which means that the connection has ended.
    var serverError: PostgresServerError? {
        guard let state = text(of: .sqlState) else { return nil }
        // Poolers omit the untranslated one.
        let severity = text(of: .untranslatedSeverity) ?? text(of: .severity)
        return PostgresServerError(
            sqlState: SQLState(rawValue: state), message: text(of: .message) ?? "", constraint: text(of: .constraint),
            table: text(of: .table), isFatal: severity == "FATAL" || severity == "PANIC", isStalePlan: isStalePlan)
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
        case constraint = "n"
        case table = "t"
        case sourceFunction = "R"
    }

    private func text(of field: ErrorField) -> String? {
        PQresultErrorField(result, Int32(field.rawValue.value)).map { String(cString: $0) }
    }
}
