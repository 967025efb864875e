import Foundation

/// The text that is being typed, in NFC. Pure.
struct LineEditor: Equatable, Sendable {
    /// The most that a message has (Unicode scalars).
    static let maximum = 8000

    private(set) var characters: [Character] = []
    /// How many characters are before the cursor.
    private(set) var cursor = 0

    var text: String { String(characters) }
    var isEmpty: Bool { characters.isEmpty }

    /// Inserts a text without characters that control a terminal; line feeds stay.
    /// - Returns: `false` if it would be longer than a message may be; then nothing is inserted.
    @discardableResult
    mutating func insert(_ text: String) -> Bool {
        let lines = text.replacingOccurrences(of: "\r\n", with: "\n").replacingOccurrences(of: "\r", with: "\n")
            .split(separator: "\n", omittingEmptySubsequences: false)
        let clean = lines.map { TerminalText.clean(String($0)) }.joined(separator: "\n")
        let before = (String(characters[..<cursor]) + clean).nfc
        let whole = before + String(characters[cursor...])
        guard whole.unicodeScalars.count <= Self.maximum else { return false }
        // What follows may join the last character that was inserted, such as a letter of Hangul.
        characters = Array(whole.nfc)
        cursor = min(Array(before).count, characters.count)
        return true
    }

    mutating func backspace() {
        guard cursor > 0 else { return }
        cursor -= 1
        characters.remove(at: cursor)
    }

    mutating func delete() {
        guard cursor < characters.count else { return }
        characters.remove(at: cursor)
    }

    mutating func deleteWord() {
        while cursor > 0, characters[cursor - 1] == " " { backspace() }
        while cursor > 0, characters[cursor - 1] != " " { backspace() }
    }

    mutating func deleteToStart() {
        characters.removeFirst(cursor)
        cursor = 0
    }

    mutating func move(by count: Int) { cursor = min(max(cursor + count, 0), characters.count) }
    mutating func moveToStart() { cursor = 0 }
    mutating func moveToEnd() { cursor = characters.count }

    /// Empties it.
    mutating func take() -> String {
        defer { self = LineEditor() }
        return text
    }

    /// The part around the cursor that fits, line feeds as `⏎`, and the cursor's column in it.
    func shown(width: Int) -> (text: String, column: Int) {
        let shown = characters.map { $0.isNewline ? "⏎" : $0 }
        var start = cursor
        var column = 0
        // One column stays free for the cursor itself.
        while start > 0 {
            let next = DisplayWidth.of(shown[start - 1])
            if column + next > width - 1 { break }
            column += next
            start -= 1
        }
        var end = start
        var used = 0
        while end < shown.count {
            let next = DisplayWidth.of(shown[end])
            if used + next > width { break }
            used += next
            end += 1
        }
        return (String(shown[start..<end]), column)
    }
}

extension String {
    /// The text in NFC.
    var nfc: String {
        let composed = precomposedStringWithCanonicalMapping
        // Foundation on Linux leaves a final consonant of Hangul beside a syllable without one (Unicode 3.12).
        let finals: ClosedRange<UInt32> = 0x11A8...0x11C2
        guard composed.unicodeScalars.contains(where: { finals.contains($0.value) }) else { return composed }
        var scalars = UnicodeScalarView()
        var last: Unicode.Scalar?
        for scalar in composed.unicodeScalars {
            if let open = last?.value, (0xAC00...0xD7A3).contains(open), (open - 0xAC00) % 28 == 0,
                finals.contains(scalar.value), let syllable = Unicode.Scalar(open + scalar.value - 0x11A7)
            {
                last = syllable
            } else {
                if let last { scalars.append(last) }
                last = scalar
            }
        }
        if let last { scalars.append(last) }
        return String(scalars)
    }
}
