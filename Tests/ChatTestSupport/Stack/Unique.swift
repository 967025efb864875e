/// Names that no other test uses.
public enum Unique {
    /// Twelve random letters after the prefix; fits room ids and usernames.
    public static func name(_ prefix: String = "t") -> String {
        let letters = Array("abcdefghijklmnopqrstuvwxyz")
        return prefix + "-" + String((0..<12).map { _ in letters[Int.random(in: 0..<letters.count)] })
    }

    public static var userID: Int64 { .random(in: 1_000_000...(1 << 53) - 1) }
}
