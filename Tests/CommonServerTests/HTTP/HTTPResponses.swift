/// Takes the bytes of a connection's answers apart.
struct HTTPResponses {
    struct Answer: Equatable {
        var status: Int
        /// Names in lower case, sorted; without those that differ from one answer to the next.
        var fields: [String]
        var hasRequestID: Bool
        var body: String
    }

    private(set) var answers: [Answer] = []
    /// Whether the bytes are whole answers and nothing else.
    private(set) var isWhole = true

    private static let changing: Set = ["date", "x-request-id"]

    /// - Parameter methods: of the requests, as far as they are HEAD: whose answers have a length, but no body.
    init(_ bytes: [UInt8], isHead: (Int) -> Bool) {
        var rest = bytes[...]
        while !rest.isEmpty {
            guard let end = Self.headEnd(rest) else {
                isWhole = false
                return
            }
            let lines = String(decoding: rest[..<end], as: UTF8.self).split(separator: "\r\n")
            rest = rest[end...]
            guard let status = lines.first?.split(separator: " ").dropFirst().first.flatMap({ Int($0) }) else {
                isWhole = false
                return
            }
            let fields = lines.dropFirst().map { $0.split(separator: ":", maxSplits: 1) }
                .map { (name: $0[0].lowercased(), value: $0.count > 1 ? $0[1].drop { $0 == " " } : "") }
            let length = fields.first { $0.name == "content-length" }.flatMap { Int($0.value) } ?? 0
            let bodyLength = isHead(answers.count) || status < 200 ? 0 : length
            guard rest.count >= bodyLength else {
                isWhole = false
                return
            }
            let body = String(decoding: rest.prefix(bodyLength), as: UTF8.self)
            rest = rest.dropFirst(bodyLength)
            answers.append(
                Answer(
                    status: status,
                    fields: fields.filter { !Self.changing.contains($0.name) }.map { "\($0.name): \($0.value)" }
                        .sorted(),
                    hasRequestID: fields.contains { $0.name == "x-request-id" && !$0.value.isEmpty },
                    body: body.replacing(/"traceId":"[0-9a-f]*"/, with: "")))
        }
    }

    private static func headEnd(_ bytes: ArraySlice<UInt8>) -> Int? {
        let end: [UInt8] = [13, 10, 13, 10]
        guard bytes.count >= 4 else { return nil }
        for index in bytes.startIndex...(bytes.endIndex - 4) where bytes[index..<index + 4].elementsEqual(end) {
            return index + 4
        }
        return nil
    }
}
