/// Text of other people as a terminal may show it.
enum TerminalText {
    /// The text without characters that control a terminal or turn the direction of what follows; a line feed is shown as
    /// `⏎`, others as `�`.
    static func clean(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: isUnsafe) else { return text }
        var clean = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\n": clean.append("⏎")
            case "\t": clean.append(" ")
            default: clean.append(isUnsafe(scalar) ? "\u{FFFD}" : scalar)
            }
        }
        return String(clean)
    }

    /// JSON in which DEL and the C1 controls, too, are escaped: a terminal may act on them.
    static func cleanJSON(_ json: String) -> String {
        guard json.unicodeScalars.contains(where: { (0x7F...0x9F).contains($0.value) }) else { return json }
        var clean = ""
        for scalar in json.unicodeScalars {
            if (0x7F...0x9F).contains(scalar.value) {
                clean += "\\u00" + String(scalar.value, radix: 16)
            } else {
                clean.unicodeScalars.append(scalar)
            }
        }
        return clean
    }

    private static func isUnsafe(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0..<0x20, 0x7F...0x9F: true
        // Line and paragraph separators; embeddings, overrides and isolates of direction.
        case 0x2028...0x202E, 0x2066...0x2069: true
        // Tags, which show nothing and can carry hidden text.
        case 0xE0000...0xE007F: true
        default: false
        }
    }
}
