/// Lines in blocks, as YAML's block style has them: a key's block is what stands deeper below it.
struct IndentedText {
    private let lines: [Substring]

    init(_ text: String) { lines = text.split(separator: "\n", omittingEmptySubsequences: false) }

    private init(outdenting lines: some Sequence<Substring>) {
        self.lines = lines.map { $0.hasPrefix("  ") ? $0.dropFirst(2) : $0 }
    }

    /// The lines without empty ones at the end.
    var text: String {
        let end = lines.lastIndex { !$0.isEmpty } ?? -1
        return lines[...end].joined(separator: "\n")
    }

    /// The keys of this level and the block of each. A key with its value in the same line has that line as its block.
    var blocks: [(key: String, block: IndentedText)] {
        let heads = lines.indices.filter { isHead(lines[$0]) }
        return heads.enumerated().compactMap { position, head in
            guard let colon = lines[head].firstIndex(of: ":") else { return nil }
            let end = position + 1 < heads.count ? heads[position + 1] : lines.endIndex
            let isFlow = lines[head].contains(": {")
            let body = isFlow ? lines[head..<end] : lines[(head + 1)..<end]
            return (String(lines[head][..<colon]), IndentedText(outdenting: body))
        }
    }

    /// The block of one key; empty where there is none.
    func block(_ key: String) -> IndentedText {
        blocks.first { $0.key == key }?.block ?? IndentedText(outdenting: [])
    }

    /// The value that stands in a key's own line.
    func value(_ key: String) -> String? {
        lines.first { $0.hasPrefix(key + ": ") }.map { String($0.dropFirst(key.count + 2)) }
    }

    private func isHead(_ line: Substring) -> Bool {
        guard let first = line.first else { return false }
        return first != " " && first != "#" && first != "-"
    }
}
