import CommonUtil

/// A stretch of a room's history or log: `{items, hasMore, nextBefore?, nextAfter?}`.
struct HistoryPage<Item: JSONEncodable>: JSONEncodable {
    let items: [Item]
    let hasMore: Bool
    /// Where the next older stretch ends.
    var nextBefore: Seq?
    /// Where the next newer stretch begins.
    var nextAfter: Seq?

    /// - Parameter fetched: one more than `limit`, if there are as many.
    init(fetched: [Item], limit: Int) {
        items = Array(fetched.prefix(limit))
        hasMore = fetched.count > limit
    }

    func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.key("items")
            writer.array(items) { $1.write(to: &$0) }
            writer.member("hasMore", hasMore)
            writer.member("nextBefore", ifPresent: nextBefore)
            writer.member("nextAfter", ifPresent: nextAfter)
        }
    }
}
