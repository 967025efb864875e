/// A room's name in URLs, channels and frames: 1–64 of `A–Z a–z 0–9 . _ -`, and none of the reserved names.
public struct RoomID: Hashable, Sendable, CustomStringConvertible {
    /// Longest permitted name, in characters (and so in bytes: the alphabet is ASCII).
    public static let maximumLength = 64

    /// What a name may look like, for error texts.
    public static let rule = "1–64 of A–Z a–z 0–9 . _ -, not '.', '..' or 'public'"

    /// `.` and `..` vanish when a client normalises a URL; `public` is a path of the REST interface.
    private static func isReserved(_ name: String) -> Bool { name == "." || name == ".." || name == "public" }

    public let rawValue: String

    /// - Returns: `nil` where `rawValue` breaks ``rule``.
    public init?(_ rawValue: some StringProtocol) {
        let bytes = rawValue.utf8
        guard (1...Self.maximumLength).contains(bytes.count), bytes.allSatisfy(Self.isAllowed) else { return nil }
        let name = String(rawValue)
        guard !Self.isReserved(name) else { return nil }
        self.rawValue = name
    }

    public var description: String { rawValue }

    private static func isAllowed(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
            true
        default:
            false
        }
    }

    /// A fresh name for a room whose maker chose none: 20 random characters, 100 bits.
    public static func random() -> RoomID {
        let alphabet = Array("abcdefghjkmnpqrstvwxyz0123456789".utf8)
        var name: [UInt8] = []
        // Five bits for a character; a number costs a system call.
        for _ in 0..<2 {
            var bits = UInt64.random(in: .min ... .max)
            for _ in 0..<10 {
                name.append(alphabet[Int(bits & 0x1F)])
                bits >>= 5
            }
        }
        return RoomID(verified: String(decoding: name, as: UTF8.self))
    }

    /// For names that come from where they were checked before (the database).
    public init(verified rawValue: String) {
        self.rawValue = rawValue
    }
}
