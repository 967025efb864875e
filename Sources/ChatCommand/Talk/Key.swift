/// A key, or text that was pasted.
enum Key: Equatable, Sendable {
    case character(Character)
    case paste(String)
    case enter, tab, backspace, delete, escape
    case left, right, up, down, home, end, pageUp, pageDown
    /// With the control key, a small letter.
    case control(Character)
}

/// Reads keys from the bytes that a terminal in raw mode sends. Pure.
struct KeyParser {
    private enum Mode {
        case plain
        case pasting
    }

    private static let maximumPaste = 65_536
    private static let pasteEnd = Array("\u{1B}[201~".utf8)

    private var bytes: [UInt8] = []
    private var mode = Mode.plain

    /// Whether an escape may be a key or the beginning of a sequence.
    var isUndecided: Bool { mode == .plain && bytes == [0x1B] }

    mutating func add(_ new: [UInt8]) -> [Key] {
        bytes += new
        var keys: [Key] = []
        while let key = next() {
            if let key { keys.append(key) }
        }
        return keys
    }

    /// Nothing followed.
    mutating func flush() -> [Key] {
        guard isUndecided else { return [] }
        bytes = []
        return [.escape]
    }

    /// - Returns: `nil` if more bytes are needed; `.some(nil)` for what is no key.
    private mutating func next() -> Key?? {
        guard let first = bytes.first else { return nil }
        if mode == .pasting { return paste() }
        if first == 0x1B { return sequence() }
        if first >= 0x80 { return character(first) }
        bytes.removeFirst()
        switch first {
        case 0x0D, 0x0A: return .enter
        case 0x09: return .tab
        case 0x7F, 0x08: return .backspace
        case 0x01...0x1A: return .control(Character(Unicode.Scalar(first + 0x60)))
        case 0x20...0x7E: return .character(Character(Unicode.Scalar(first)))
        default: return .some(nil)
        }
    }

    private mutating func character(_ first: UInt8) -> Key?? {
        let length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : first >= 0xC0 ? 2 : 1
        guard bytes.count >= length else { return nil }
        let text = String(validating: bytes.prefix(length), as: UTF8.self)
        bytes.removeFirst(text == nil ? 1 : length)
        guard let scalar = text?.unicodeScalars.first, scalar.value >= 0xA0 else { return .some(nil) }
        return .character(Character(scalar))
    }

    private mutating func sequence() -> Key?? {
        guard bytes.count > 1 else { return nil }
        guard bytes[1] == UInt8(ascii: "[") || bytes[1] == UInt8(ascii: "O") else {
            // Escape and another key.
            bytes.removeFirst()
            return .escape
        }
        guard let end = bytes.dropFirst(2).firstIndex(where: { (0x40...0x7E).contains($0) }) else {
            if bytes.count < 32 { return nil }
            bytes.removeAll()
            return .some(nil)
        }
        let text = String(decoding: bytes[2...end], as: UTF8.self)
        bytes.removeFirst(end + 1)
        switch text {
        case "A": return .up
        case "B": return .down
        case "C": return .right
        case "D": return .left
        case "H", "1~", "7~": return .home
        case "F", "4~", "8~": return .end
        case "3~": return .delete
        case "5~": return .pageUp
        case "6~": return .pageDown
        case "M": return .enter
        case "200~":
            mode = .pasting
            return .some(nil)
        default: return .some(nil)
        }
    }

    private mutating func paste() -> Key?? {
        let count = bytes.count - Self.pasteEnd.count
        guard count >= 0, let end = (0...count).first(where: { bytes[$0...].starts(with: Self.pasteEnd) }) else {
            // What is longer than any message is not kept.
            if bytes.count > Self.maximumPaste + 16 { bytes.removeSubrange(Self.maximumPaste..<(bytes.count - 16)) }
            return nil
        }
        let text = String(decoding: bytes.prefix(end), as: UTF8.self)
        bytes.removeFirst(end + Self.pasteEnd.count)
        mode = .plain
        return .paste(text)
    }
}
