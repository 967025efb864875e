import PostgresClient

/// One who was found, or a room, by the rest of a name from `suffix` on: what the search sorts by.
public struct Found<Item: Sendable>: Sendable {
    public let item: Item
    public let suffix: String
}

/// Finding people and rooms by their names: a table of each name's suffixes (``FoldedName/suffixes``), in which a search
/// is a range of an index, at any size and without an extension.
///
/// `LIKE` with a parameter is no bound for an index once PostgreSQL plans a statement for all parameters at once, and
/// the search would read the whole index; a range of the C collation is, and no character of it is a wildcard.
struct NameSearch: Sendable {
    let statement: PostgresStatement

    /// A statement with these parameters: what is looked for, the suffix and the id after which the page begins, how
    /// many at most, and whether to look inside words as well. Its last column is the suffix that was found.
    ///
    /// Of a name that is found by several of its suffixes the first one counts. The two ranges, of words and of what is
    /// inside them, stand one after the other in the index, so each is read by itself and no further than the page.
    /// - Parameters:
    ///   - table: that of the suffixes; `of` is that of what has the names.
    ///   - id: the column that ties them.
    ///   - condition: on a row of `entities`, where not all of them are to be found.
    init(table: String, id: String, of entities: String, columns: String, condition: String? = nil) {
        func part(isInside: Bool, _ condition: String) -> String {
            """
            (SELECT suffix, \(id) FROM \(table) AS part
            WHERE is_inside = \(isInside) AND suffix >= $1 AND suffix >= $2 AND suffix < $1 || U&'\\+10FFFF'
                AND (suffix, \(id)) > ($2, $3) AND \(condition)
                AND NOT EXISTS (
                    SELECT FROM \(table) AS earlier
                    WHERE earlier.\(id) = part.\(id) AND earlier.suffix >= $1 AND earlier.suffix < part.suffix
                        AND (NOT earlier.is_inside OR $5))
            ORDER BY suffix, \(id) LIMIT $4)
            """
        }
        let isSought =
            condition.map { "EXISTS (SELECT FROM \(entities) WHERE \(entities).\(id) = part.\(id) AND \($0))" }
            ?? "true"
        statement = PostgresStatement(
            """
            SELECT \(columns), found.suffix
            FROM (
                \(part(isInside: false, isSought))
                UNION ALL
                \(part(isInside: true, "$5 AND \(isSought)"))
                ORDER BY suffix, \(id) LIMIT $4
            ) AS found
            CROSS JOIN LATERAL (SELECT * FROM \(entities) WHERE \(id) = found.\(id) LIMIT 1) AS \(entities)
            ORDER BY found.suffix, found.\(id)
            """)
    }

    /// - Parameter last: where the page before ended; `lowest` is less than any id.
    static func parameters(
        _ name: FoldedName, after last: (suffix: String, id: PostgresParameter)?, lowest: PostgresParameter, limit: Int
    ) -> [PostgresParameter] {
        [
            .text(name.text), .text(last?.suffix ?? name.text), last?.id ?? lowest, .int8(limit),
            .bool(name.text.unicodeScalars.count > 1),
        ]
    }
}
