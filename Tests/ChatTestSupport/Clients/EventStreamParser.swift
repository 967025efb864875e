import Glibc

/// The algorithm with which browsers interpret an event stream (HTML standard, sections 9.2.5 and 9.2.6), byte by byte. Does
/// no I/O.
public struct EventStreamParser: Sendable {
    /// An event that a browser dispatches.
    public struct Event: Sendable, Equatable {
        /// `message` unless the stream names another.
        public let type: String
        public let data: String
        /// The last event id of the stream, as `EventSource` has it when it dispatches the event.
        public let lastEventID: String

        public init(type: String, data: String, lastEventID: String) {
            self.type = type
            self.data = data
            self.lastEventID = lastEventID
        }
    }

    /// The events so far.
    public private(set) var events: [Event] = []
    /// What `EventSource` would send as `Last-Event-ID`; empty where it sends none.
    public private(set) var lastEventID = ""
    /// The reconnection times that the stream has set, in milliseconds.
    public private(set) var retries: [Int] = []
    /// The comments so far.
    public private(set) var comments: [String] = []
    /// What no browser minds and this server must not send: fields that are unknown, text that is not UTF-8.
    public private(set) var faults: [String] = []

    private var line: [UInt8] = []
    private var isAtStart = true
    private var hasCarriageReturn = false
    private var data = ""
    private var type = ""
    private var idBuffer = ""

    public init() {}

    /// Takes a part of the stream, which can end anywhere.
    public mutating func append(_ bytes: some Collection<UInt8>) {
        // By lines, not by bytes: without optimization a loop over the bytes of a long stream takes seconds.
        Array(bytes).withUnsafeBytes { bytes in
            var rest = bytes[...]
            while let first = rest.first {
                let isSecondOfPair = hasCarriageReturn && first == UInt8(ascii: "\n")
                hasCarriageReturn = false
                if isSecondOfPair {
                    rest.removeFirst()
                    continue
                }
                guard let end = Self.lineEnd(rest) else { return line.append(contentsOf: rest) }
                line.append(contentsOf: rest[..<end])
                hasCarriageReturn = rest[end] == UInt8(ascii: "\r")
                rest = rest[(end + 1)...]
                endLine()
            }
        }
    }

    private static func lineEnd(_ bytes: Slice<UnsafeRawBufferPointer>) -> Int? {
        let lineFeed = index(of: UInt8(ascii: "\n"), in: bytes)
        return index(of: UInt8(ascii: "\r"), in: bytes[..<(lineFeed ?? bytes.endIndex)]) ?? lineFeed
    }

    private static func index(of byte: UInt8, in bytes: Slice<UnsafeRawBufferPointer>) -> Int? {
        let buffer = UnsafeRawBufferPointer(rebasing: bytes)
        guard let start = buffer.baseAddress, let found = memchr(start, CInt(byte), buffer.count) else { return nil }
        return bytes.startIndex + (UnsafeRawPointer(found) - start)
    }

    private mutating func endLine() {
        defer { line.removeAll(keepingCapacity: true) }
        if isAtStart, line.starts(with: [0xEF, 0xBB, 0xBF]) { line.removeFirst(3) }
        isAtStart = false
        if String(validating: line, as: UTF8.self) == nil { faults.append("not UTF-8: \(line)") }
        let text = String(decoding: line, as: UTF8.self)
        // By scalars: a Swift character can have more than one.
        let scalars = text.unicodeScalars
        guard !scalars.isEmpty else { return dispatch() }
        guard let colon = scalars.firstIndex(of: ":") else { return process(text, "") }
        let name = String(scalars[..<colon])
        var value = scalars[scalars.index(after: colon)...]
        if name.isEmpty { return comments.append(String(value)) }
        if value.first == " " { value.removeFirst() }
        process(name, String(value))
    }

    private mutating func process(_ name: String, _ value: String) {
        switch name {
        case "event": type = value
        case "data": data += value + "\n"
        case "id": if !value.unicodeScalars.contains("\0") { idBuffer = value }
        case "retry":
            if value.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let time = Int(value) { retries.append(time) }
        default: faults.append("unknown field: \(name)")
        }
    }

    private mutating func dispatch() {
        lastEventID = idBuffer
        defer { (data, type) = ("", "") }
        guard !data.isEmpty else { return }
        data.unicodeScalars.removeLast()
        events.append(Event(type: type.isEmpty ? "message" : type, data: data, lastEventID: lastEventID))
    }
}
