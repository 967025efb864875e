// The standard library normalizes to NFC to compare strings, but has no public API for it yet. Foundation has one,
// which needs thirty megabytes of ICU. A test checks the results of this one.
@_spi(_Unicode) import Swift

/// A name or a search text in the form in which they are compared: NFC and case-folded, in any script (Unicode
/// standard, 3.11 and 3.13).
struct FoldedName: Equatable, Sendable {
    /// The rest of a name from a position at which a search can match.
    struct Suffix: Hashable, Sendable {
        let text: String
        /// Whether it begins inside a word.
        let isInside: Bool
    }

    let text: String

    // Upper case first: letters with several lower-case forms, such as `σ` and `ς`, become one.
    /// - Parameter name: as a user wrote it.
    init(_ name: String) {
        let upper = name._nfc.map(\.properties.uppercaseMapping).joined()
        let lower = upper.unicodeScalars.map(\.properties.lowercaseMapping).joined()
        text = String(String.UnicodeScalarView(lower._nfc))
    }

    /// The name from each position at which a search can match: where a word begins, and for Hangul, Han and Kana,
    /// which are written without spaces, at every character. So every search is a prefix search.
    var suffixes: [Suffix] {
        let scalars = text.unicodeScalars
        var suffixes: [Suffix] = []
        var previous = Kind.separator
        for index in scalars.indices {
            let kind = Kind(scalars[index])
            defer { if kind != .extender { previous = kind } }
            let isStart = index == scalars.startIndex || kind != previous && kind != .separator && kind != .extender
            guard isStart || kind == .syllable else { continue }
            suffixes.append(Suffix(text: String(text[index...]), isInside: !isStart))
        }
        return suffixes
    }

    private enum Kind {
        case separator
        case letter
        /// Of Hangul, Han or Kana.
        case syllable
        /// Belongs to the preceding character: marks, joiners.
        case extender

        init(_ scalar: Unicode.Scalar) {
            switch scalar.properties.generalCategory {
            case .spaceSeparator, .lineSeparator, .paragraphSeparator, .control, .connectorPunctuation,
                .dashPunctuation, .openPunctuation, .closePunctuation, .initialPunctuation, .finalPunctuation,
                .otherPunctuation:
                self = .separator
            case .nonspacingMark, .spacingMark, .enclosingMark, .format:
                self = .extender
            default:
                self = Self.syllables.contains { $0.contains(scalar.value) } ? .syllable : .letter
            }
        }

        /// Blocks of the Unicode standard, chapter 18.
        private static let syllables: [ClosedRange<UInt32>] = [
            0x1100...0x11FF, 0x2E80...0x2FDF, 0x3005...0x3007, 0x3021...0x3029, 0x3031...0x303C, 0x3041...0x30FF,
            0x3131...0x318E, 0x31F0...0x31FF, 0x3400...0x4DBF, 0x4E00...0x9FFF, 0xA960...0xA97C, 0xAC00...0xD7FB,
            0xF900...0xFAFF, 0xFF66...0xFFDC, 0x1AFF0...0x1B16F, 0x20000...0x3FFFD,
        ]
    }
}
