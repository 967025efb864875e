/// A server's OpenAPI description: text, kept by hand beside the routes it describes, and what its page shows of it.
///
/// The text is not parsed as YAML. Its layout is fixed, and a test sees to it: two blanks deeper is one level further
/// in, paths and schemas are keys of their own lines, and every call has an `operationId` and a `summary` in one line.
public struct APIDescription: Sendable {
    /// One method of one path.
    public struct Call: Equatable, Sendable {
        public let method: String
        public let path: String
        public let summary: String
        /// The lines of its description.
        public let text: String
    }

    /// A named schema.
    struct Schema: Sendable {
        let name: String
        let text: String
    }

    public let text: String
    let title: String
    let introduction: String
    public let calls: [Call]
    let schemas: [Schema]

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
