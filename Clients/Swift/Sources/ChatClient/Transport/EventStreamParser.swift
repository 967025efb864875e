/// Reads `text/event-stream` by the algorithm of the HTML standard. Pure: no I/O.
struct EventStreamParser {
    enum Event: Equatable {
        case message(data: String, id: String?, type: String)
        case comment
        case retry(Int64)
    }

    /// The largest event; a longer one ends the stream.
    static let maximumSize = 16 << 20

    private var line: [UInt8] = []
    private var sawReturn = false
    private var data: [String] = []
    private var size = 0
    private var type = ""
    private var id: String?

    /// Parses the next bytes of the stream.
    /// - Returns: the events that are complete now.
    /// - Throws: ``ChatError`` with code `protocol` if the text is not UTF-8 or too long.
    mutating func parse(_ bytes: some Sequence<UInt8>) throws(ChatError) -> [Event] {
        var events: [Event] = []
        for byte in bytes {
            switch byte {
            case 0x0A where sawReturn: sawReturn = false
            case 0x0A, 0x0D:
                sawReturn = byte == 0x0D
                if let event = try endLine() { events.append(event) }
            default:
                sawReturn = false
                line.append(byte)
                size += 1
                guard size <= Self.maximumSize else { throw ChatError(.protocol, "An event is too long") }
            }
        }
        return events
    }

    private mutating func endLine() throws(ChatError) -> Event? {
        guard UTF8Check.isValid(line) else { throw ChatError(.protocol, "The event stream is not UTF-8") }
        let text = String(decoding: line, as: UTF8.self)
        line.removeAll(keepingCapacity: true)
        guard !text.isEmpty else { return endEvent() }
        guard !text.hasPrefix(":") else {
            size = data.reduce(0) { $0 + $1.utf8.count }
            return .comment
        }
        let colon = text.firstIndex(of: ":") ?? text.endIndex
        var value = text[colon...].dropFirst()
        if value.hasPrefix(" ") { value = value.dropFirst() }
        switch text[..<colon] {
        case "data": data.append(String(value))
        case "event": type = String(value)
        case "id": id = String(value)
        case "retry": return Int64(value).map { .retry(max(0, $0)) }
        default: break
        }
        return nil
    }

    private mutating func endEvent() -> Event? {
        defer { (data, type, id, size) = ([], "", nil, 0) }
        guard !data.isEmpty else { return nil }
        return .message(data: data.joined(separator: "\n"), id: id, type: type.isEmpty ? "message" : type)
    }
}
