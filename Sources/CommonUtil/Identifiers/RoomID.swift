/// The id of a room in URLs, channels and frames: 1–64 of `A–Z a–z 0–9 . _ -`, except the reserved ones.
public struct RoomID: Hashable, Sendable, CustomStringConvertible {
    /// Maximum length in characters, which are bytes since the alphabet is ASCII.
    public static let maximumLength = 64

    /// The requirement on an id, for error messages.
    public static let rule = "1–64 of A–Z a–z 0–9 . _ -, not '.', '..' or 'public'"

    /// `.` and `..` are removed when a client normalises a URL; `public` is a path of the REST interface.
    private static func isReserved(_ name: String) -> Bool { name == "." || name == ".." || name == "public" }

    /// The text of the id.
    public let rawValue: String

    /// Reads an id.
    /// - Returns: `nil` if `rawValue` does not meet ``rule``.
    public init?(_ rawValue: some StringProtocol) {
        guard (1...Self.maximumLength).contains(rawValue.utf8.count) else { return nil }
        // Checked as bytes in memory: each event's channel has an id, and walking over generic text takes eight times as long.
        var name = String(rawValue)
        guard name.withUTF8({ $0.allSatisfy(NameAlphabet.contains) }), !Self.isReserved(name) else { return nil }
        self.rawValue = name
    }

    public var description: String { rawValue }

    /// Creates an id of 20 random characters, 100 bits.
    public static func random() -> RoomID {
        let alphabet = Array("abcdefghjkmnpqrstvwxyz0123456789".utf8)
        var name: [UInt8] = []
        // Five bits per character. Two numbers for all, since each costs a system call.
        for _ in 0..<2 {
            var bits = UInt64.random(in: .min ... .max)
            for _ in 0..<10 {
                name.append(alphabet[Int(bits & 0x1F)])
                bits >>= 5
            }
        }
        return RoomID(verified: String(decoding: name, as: UTF8.self))
    }

    /// Creates an id from text that was checked before, for example from the database.
    public init(verified rawValue: String) {
        self.rawValue = rawValue
    }
}

/// The characters of names that stand in URLs as they are: `A–Z a–z 0–9 . _ -`.
enum NameAlphabet {
    static func contains(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
            true
        default:
            false
        }
    }
}
