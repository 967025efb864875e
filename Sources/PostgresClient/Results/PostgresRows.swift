/// The rows of one statement. They stay in the memory libpq read them into and are decoded by whoever reads them.
public struct PostgresRows: RandomAccessCollection, Sendable {
    let result: PostgresResult

    public let startIndex = 0
    public var endIndex: Int { result.rowCount }

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

    public var columnCount: Int { result.columnCount }

    /// Reads the whole row by position: `let (id, name) = try row.decode(Int64.self, String?.self)`.
    ///
    /// Throws ``PostgresError/decoding(_:)`` unless number, types and NULLs of the columns fit.
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

    /// Reads one column by its name, which is compared as it is, case and all.
    public func decode<Value: PostgresDecodable>(
        _ column: String, as type: Value.Type = Value.self
    ) throws(PostgresError) -> Value {
        guard let position = result.column(named: column) else { throw .decoding("no column \(column)") }
        return try decode(column: position, as: type)
    }

    /// Reads one column by its position, from 0.
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
