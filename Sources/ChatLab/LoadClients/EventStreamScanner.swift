import NIOCore

/// The parser of an event stream (HTML standard, section 9.2.6), fed with bytes as they come. A byte order mark is not
/// looked for: our servers send none.
struct EventStreamScanner {
    enum Item: Equatable {
        /// A dispatched event: its type, its data, and the last event ID of the stream.
        case event(type: String, data: ByteBuffer, id: String)
        /// A new reconnection time, in milliseconds.
        case retry(Int)
    }

    struct TooLong: Error {}

    private static let longestLine = 4 * 1024 * 1024

    private var received = ByteBuffer()
    private var type = ""
    private var data: ByteBuffer?
    /// The last event ID that counts for the next event.
    private(set) var lastEventID = ""

    mutating func append(_ bytes: ByteBuffer) {
        var bytes = bytes
        if received.readableBytes == 0 { received = bytes } else { received.writeBuffer(&bytes) }
    }

    /// - Returns: nil when no more is there yet.
    /// - Throws: ``TooLong`` for a line without an end.
    mutating func next() throws -> Item? {
        while let line = try line() {
            if let item = take(line) { return item }
        }
        return nil
    }

    /// A line without its end: LF, CR LF; a CR alone is only waited for, since ours do not send it.
    private mutating func line() throws -> ByteBuffer? {
        guard let end = received.readableBytesView.firstIndex(of: UInt8(ascii: "\n")) else {
            guard received.readableBytes < Self.longestLine else { throw TooLong() }
            return nil
        }
        var line = received.readSlice(length: end - received.readerIndex) ?? ByteBuffer()
        received.moveReaderIndex(forwardBy: 1)
        if line.readableBytesView.last == UInt8(ascii: "\r") { line.moveWriterIndex(to: line.writerIndex - 1) }
        return line
    }

    private mutating func take(_ line: ByteBuffer) -> Item? {
        guard line.readableBytes > 0 else { return dispatch() }
        let view = line.readableBytesView
        let colon = view.firstIndex(of: UInt8(ascii: ":")) ?? view.endIndex
        var value = line
        value.moveReaderIndex(to: min(colon + 1, line.writerIndex))
        if value.readableBytesView.first == UInt8(ascii: " ") { value.moveReaderIndex(forwardBy: 1) }
        switch String(decoding: view[..<colon], as: UTF8.self) {
        case "event":
            type = String(buffer: value)
        case "data":
            guard data != nil else {
                data = value
                return nil
            }
            data?.writeString("\n")
            data?.writeBuffer(&value)
        case "id" where !value.readableBytesView.contains(0):
            lastEventID = String(buffer: value)
        case "retry":
            return Int(String(buffer: value)).flatMap { $0 >= 0 ? .retry($0) : nil }
        default:
            // A comment has an empty name.
            break
        }
        return nil
    }

    private mutating func dispatch() -> Item? {
        defer {
            type = ""
            data = nil
        }
        guard let data else { return nil }
        return .event(type: type.isEmpty ? "message" : type, data: data, id: lastEventID)
    }
}
