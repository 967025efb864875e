import NIOCore

/// Cuts what a Redis server sends (RESP2) into whole replies, so that one push can be left out of the stream; a client's
/// commands have the same form. It looks at lengths only; what is no RESP is handed on as it comes.
struct RESPFrames {
    private var buffer = ByteBuffer()

    mutating func append(_ bytes: ByteBuffer) {
        var bytes = bytes
        if buffer.readableBytes == 0 { buffer = bytes } else { buffer.writeBuffer(&bytes) }
    }

    /// The next whole reply; nil if none is there yet.
    mutating func next() -> ByteBuffer? {
        guard buffer.readableBytes > 0 else { return nil }
        var end = buffer.readerIndex
        switch Self.skip(in: buffer, from: &end) {
        case .whole: return buffer.readSlice(length: end - buffer.readerIndex)
        case .partial: return nil
        case .foreign: return buffer.readSlice(length: buffer.readableBytes)
        }
    }

    /// What is there of a reply that is not whole, as it is.
    mutating func takeRest() -> ByteBuffer? {
        buffer.readSlice(length: buffer.readableBytes).flatMap { $0.readableBytes > 0 ? $0 : nil }
    }

    /// The channel of a `message` or `pmessage` push; nil for every other reply.
    static func channel(ofPush reply: ByteBuffer) -> String? {
        var position = reply.readerIndex
        guard case .number(let count, UInt8(ascii: "*")) = line(in: reply, from: &position),
            let kind = text(in: reply, from: &position)
        else { return nil }
        switch (kind, count) {
        case ("message", 3): return text(in: reply, from: &position)
        case ("pmessage", 4):
            guard text(in: reply, from: &position) != nil else { return nil }
            return text(in: reply, from: &position)
        default: return nil
        }
    }

    // MARK: Reading

    private enum Extent { case whole, partial, foreign }

    private enum Line {
        case number(Int, UInt8)
        case other
        case partial
        case foreign
    }

    private static func skip(in buffer: ByteBuffer, from position: inout Int) -> Extent {
        var replies = 1
        while replies > 0 {
            replies -= 1
            switch line(in: buffer, from: &position) {
            case .number(let count, UInt8(ascii: "*")): replies += max(0, count)
            case .number(let length, UInt8(ascii: "$")) where length >= 0:
                position += length + 2
                guard position <= buffer.writerIndex else { return .partial }
            case .number, .other: break
            case .partial: return .partial
            case .foreign: return .foreign
            }
        }
        return .whole
    }

    /// The line at `position`, which then is after its CRLF.
    private static func line(in buffer: ByteBuffer, from position: inout Int) -> Line {
        guard position < buffer.writerIndex else { return .partial }
        let unread = buffer.viewBytes(at: position, length: buffer.writerIndex - position) ?? ByteBufferView()
        guard let kind = unread.first, "*$+-:".utf8.contains(kind) else { return .foreign }
        guard let end = unread.firstIndex(of: UInt8(ascii: "\n")) else { return .partial }
        let digits = unread[(unread.startIndex + 1)..<end].dropLast()
        position += unread.distance(from: unread.startIndex, to: end) + 1
        guard "*$".utf8.contains(kind) else { return .other }
        return Int(String(decoding: digits, as: UTF8.self)).map { .number($0, kind) } ?? .foreign
    }

    private static func text(in buffer: ByteBuffer, from position: inout Int) -> String? {
        guard case .number(let length, UInt8(ascii: "$")) = line(in: buffer, from: &position), length >= 0,
            let text = buffer.getString(at: position, length: length)
        else { return nil }
        position += length + 2
        return text
    }
}
