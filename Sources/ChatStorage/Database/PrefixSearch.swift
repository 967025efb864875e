/// Finding texts by how they begin.
///
/// `LIKE` with a parameter is no bound for an index once PostgreSQL plans a statement for all parameters at once, and
/// the search would read the whole index; a range of the C collation is, and no character of it is a wildcard.
enum PrefixSearch {
    /// - Parameters:
    ///   - text: an expression in the C collation.
    ///   - prefix: an expression; the greatest code point ends the range, and is no character that a text would hold.
    static func condition(_ text: String, prefix: String) -> String {
        #"\#(text) >= \#(prefix) AND \#(text) < \#(prefix) || U&'\+10FFFF'"#
    }
}
