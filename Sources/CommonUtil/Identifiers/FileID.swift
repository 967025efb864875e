/// The id of a file: 1–64 of `a–z 0–9`. Also the key of its bytes in the store.
public struct FileID: Hashable, Sendable, CustomStringConvertible {
    /// The requirement on an id, for error messages.
    public static let rule = "1–64 of a–z 0–9"

    /// The text of the id.
    public let rawValue: String

    /// Reads an id.
    /// - Returns: `nil` if the text does not meet ``rule``.
    public init?(_ text: some StringProtocol) {
        guard (1...64).contains(text.utf8.count),
            text.utf8.allSatisfy({ (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) })
        else { return nil }
        rawValue = String(text)
    }

    /// Creates an id from text that was checked before, for example from the database.
    public init(verified rawValue: String) { self.rawValue = rawValue }

    /// Creates an id of 20 random characters, 100 bits.
    public static func random() -> FileID { FileID(verified: RoomID.random().rawValue) }

    public var description: String { rawValue }
}
