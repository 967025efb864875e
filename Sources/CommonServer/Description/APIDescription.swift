/// A server's OpenAPI description, and the parts of it that its page shows. The text is written by hand beside the routes.
///
/// It is not parsed as YAML. Its layout is fixed and checked by a test: two spaces per level, paths and schemas as keys on
/// lines of their own, and an `operationId` and a `summary` of one line for every call.
public struct APIDescription: Sendable {
    /// One method of one path.
    public struct Call: Equatable, Sendable {
        /// The method in upper case.
        public let method: String
        /// The path template.
        public let path: String
        /// One line about the call.
        public let summary: String
        /// The YAML of the call.
        public let text: String
    }

    /// A named schema.
    struct Schema: Sendable {
        let name: String
        let text: String
    }

    /// The YAML.
    public let text: String
    let title: String
    let introduction: String
    /// The calls in the order of the text.
    public let calls: [Call]
    let schemas: [Schema]

    /// Reads a description.
    public init(yaml: [UInt8]) {
        text = String(decoding: yaml, as: UTF8.self)
        let document = IndentedText(text)
        let info = document.block("info")
        title = info.value("title") ?? ""
        introduction = info.block("description").text
        calls = document.block("paths").blocks.flatMap { path, methods in
            methods.blocks.filter { Self.methods.contains($0.key) }.map { method, call in
                Call(
                    method: method.uppercased(), path: path, summary: call.value("summary") ?? "", text: call.text)
            }
        }
        schemas = document.block("components").block("schemas").blocks.map { Schema(name: $0.key, text: $0.block.text) }
    }

    private static let methods: Set<String> = ["get", "put", "post", "delete", "patch"]
}

/// Lines in nested blocks, as in YAML's block style: the block of a key is the lines below it with a deeper indentation.
struct IndentedText {
    private let lines: [Substring]

    init(_ text: String) { lines = text.split(separator: "\n", omittingEmptySubsequences: false) }

    private init(outdenting lines: some Sequence<Substring>) {
        self.lines = lines.map { $0.hasPrefix("  ") ? $0.dropFirst(2) : $0 }
    }

    /// The text of the block, without empty lines at its end.
    var text: String {
        let end = lines.lastIndex { !$0.isEmpty } ?? -1
        return lines[...end].joined(separator: "\n")
    }

    /// The keys of this level with their blocks. The block of a key with a value on the same line is that line.
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

    /// Returns the block of a key; an empty one for an unknown key.
    func block(_ key: String) -> IndentedText {
        blocks.first { $0.key == key }?.block ?? IndentedText(outdenting: [])
    }

    /// Returns the value on the line of a key.
    func value(_ key: String) -> String? {
        lines.first { $0.hasPrefix(key + ": ") }.map { String($0.dropFirst(key.count + 2)) }
    }

    private func isHead(_ line: Substring) -> Bool {
        guard let first = line.first else { return false }
        return first != " " && first != "#" && first != "-"
    }
}
