import PostgresClient

/// A search result, with the matching suffix of its name, by which results are sorted.
public struct Found<Item: Sendable>: Sendable {
    /// The user or room.
    public let item: Item
    /// The folded name from the matching word on.
    public let suffix: String
}

/// Searches names of users and rooms: a table holds each name's suffixes (``FoldedName/suffixes``), in which a search
/// is a range of an index, at any size and without a PostgreSQL extension.
///
/// With `LIKE` and a generic plan PostgreSQL would read the whole index. A range in the C collation bounds the index
/// scan, and has no wildcards.
struct NameSearch: Sendable {
    let statement: PostgresStatement

    /// Makes a statement with these parameters: the search text, the suffix and the id after which the page begins, the
    /// limit, and whether to match inside words as well. Its last column is the matching suffix.
    ///
    /// If several suffixes of a name match, the first one counts. The two ranges, of words and of what is inside
    /// them, follow each other in the index, so each is read by itself and no further than the page.
    /// - Parameters:
    ///   - table: the table of suffixes.
    ///   - id: the key of `entities`, which `table` refers to.
    ///   - entities: the table of the rows to be found.
    ///   - join: further joins to a row of `entities`.
    ///   - condition: on a row of `entities`.
    init(
        table: String, id: String, of entities: String, columns: String, join: String = "", condition: String? = nil
    ) {
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
            \(join)
            ORDER BY found.suffix, found.\(id)
            """)
    }

    /// - Parameters:
    ///   - last: where the previous page ended.
    ///   - lowest: less than any id.
    static func parameters(
        _ name: FoldedName, after last: (suffix: String, id: PostgresParameter)?, lowest: PostgresParameter, limit: Int
    ) -> [PostgresParameter] {
        [
            .text(name.text), .text(last?.suffix ?? name.text), last?.id ?? lowest, .int8(limit),
            .bool(name.text.unicodeScalars.count > 1),
        ]
    }
}
