/// A comma list of tokens (RFC 9110 section 5.6.1), compared without regard to case.
struct TokenList {
    private let elements: [ArraySlice<UInt8>]

    init(_ bytes: ArraySlice<UInt8>) {
        elements = bytes.split(separator: UInt8(ascii: ",")).compactMap { element in
            let start = element.drop(while: RequestHeadGrammar.isBlank)
            let end = start.lastIndex { !RequestHeadGrammar.isBlank($0) }
            return end.map { start[...$0] }
        }
    }

    init(_ text: String) { self.init(Array(text.utf8)[...]) }

    var count: Int { elements.count }

    /// - Parameter token: in lower case.
    func contains(_ token: StaticString) -> Bool { elements.contains { Self.isSame($0, token) } }

    func count(of token: StaticString) -> Int { elements.count { Self.isSame($0, token) } }

    /// Whether the last element is this token.
    func last(_ token: StaticString) -> Bool { elements.last.map { Self.isSame($0, token) } ?? false }

    private static func isSame(_ element: ArraySlice<UInt8>, _ token: StaticString) -> Bool {
        token.withUTF8Buffer { token in
            element.count == token.count && zip(element, token).allSatisfy { $0 | 0x20 == $1 }
        }
    }
}
