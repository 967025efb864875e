import ArgumentParser

/// The id of a room as an argument.
struct RoomArgument: ExpressibleByArgument {
    let id: String

    /// 1–64 of `A–Z a–z 0–9 . _ -`.
    init?(argument: String) {
        guard (1...64).contains(argument.utf8.count), argument.utf8.allSatisfy(Self.isAllowed) else { return nil }
        id = argument
    }

    static func isAllowed(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
            true
        default: false
        }
    }
}
