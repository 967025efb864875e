import Testing

@testable import ChatStorage

@Suite(.timeLimit(.minutes(2))) struct FoldedNameTests {
    private func scalars(_ name: String) -> [UInt32] { FoldedName(name).text.unicodeScalars.map(\.value) }

    @Test(arguments: [
        ("Ann", "ANN"), ("Stra\u{DF}e", "STRASSE"), ("\u{3A3}\u{3AF}\u{3C3}\u{3C5}\u{3C6}\u{3BF}\u{3C2}", "σίσυφοσ"),
        ("\u{212A}elvin", "kelvin"), ("e\u{301}", "\u{E9}"), ("E\u{301}", "\u{E9}"),
        ("\u{1112}\u{1161}\u{11AB}", "\u{D55C}"), ("\u{304B}\u{3099}", "\u{304C}"), ("\u{2126}", "\u{3C9}"),
        ("q\u{323}\u{307}", "q\u{307}\u{323}"), ("ПРИВЕТ", "привет"),
    ])
    func `what is canonically equivalent, or differs in case, is one name`(one: String, other: String) {
        // By scalars: Swift's equality ignores differences that PostgreSQL sees.
        #expect(scalars(one) == scalars(other))
    }

    @Test(arguments: [("Ann", "Anna"), ("e", "e\u{301}"), ("\u{4EAC}", "\u{6771}")])
    func `other names stay others`(one: String, other: String) { #expect(scalars(one) != scalars(other)) }

    private struct Places: CustomStringConvertible {
        let name: String
        let words: [String]
        var inside: [String] = []
        var description: String { name }
    }

    private static let places = [
        Places(name: "Ann", words: ["ann"]),
        Places(name: "Anna Maria  Bell", words: ["anna maria  bell", "maria  bell", "bell"]),
        Places(name: "ann.b-1_x", words: ["ann.b-1_x", "b-1_x", "1_x", "x"]),
        Places(name: "(beta) #x", words: ["(beta) #x", "beta) #x", "x"]),
        Places(name: "O'Neil", words: ["o'neil", "neil"]),
        Places(name: "C++ 🎉", words: ["c++ 🎉", "🎉"]),
        Places(name: "e\u{301}te\u{301} a\u{300} x", words: ["\u{E9}t\u{E9} \u{E0} x", "\u{E0} x", "x"]),
        Places(name: "👩\u{200D}🚀 x", words: ["👩\u{200D}🚀 x", "x"]),
        Places(name: "東京都", words: ["東京都"], inside: ["京都", "都"]),
        Places(name: "東京Tower 塔", words: ["東京tower 塔", "tower 塔", "塔"], inside: ["京tower 塔"]),
        Places(name: "한국어", words: ["한국어"], inside: ["국어", "어"]),
        Places(name: "カフェ・ラテ", words: ["カフェ・ラテ", "ラテ"], inside: ["フェ・ラテ", "ェ・ラテ", "テ"]),
        Places(name: "か\u{3099}き", words: ["がき"], inside: ["き"]),
        Places(name: "**", words: ["**"]),
        Places(name: "", words: []),
    ]

    @Test(arguments: places)
    private func `a name is found where a word begins, in Hangul, Han and Kana anywhere`(places: Places) {
        let suffixes = FoldedName(places.name).suffixes
        func texts(_ texts: [String]) -> [[UInt8]] { texts.map { Array($0.utf8) } }
        #expect(texts(suffixes.filter { !$0.isInside }.map(\.text)) == texts(places.words))
        #expect(texts(suffixes.filter(\.isInside).map(\.text)) == texts(places.inside))
    }
}
