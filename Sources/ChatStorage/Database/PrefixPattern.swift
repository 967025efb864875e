extension String {
    /// The `LIKE` pattern of all texts that begin with this one: its `%`, `_` and `\\` stand for themselves (PostgreSQL
    /// manual, 9.7.1).
    var prefixPattern: String {
        replacing("\\", with: "\\\\").replacing("%", with: "\\%").replacing("_", with: "\\_") + "%"
    }
}
