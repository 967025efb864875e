import Foundation
import NIOCore

/// What a fault's clients need to know of a frame or of an answer to a post, found without parsing: fifty sessions get
/// the same text.
struct EventFrame: Equatable {
    /// `eventType`; nil in an answer to a post.
    var kind: String?
    var seq: Int?
    var messageID: Int?
    /// How long to stay away, in a `reconnect`.
    var afterMilliseconds: Int?

    // Within `contentJson` the quotes of a name are escaped, so what a payload holds is not taken for an event's.
    private static let kindKey = Array(#""eventType":""#.utf8)
    private static let seqKey = Array(#""seq":"#.utf8)
    private static let messageKey = Array(#""messageId":"#.utf8)
    private static let afterKey = Array(#""afterMs":"#.utf8)

    init(_ text: ByteBuffer) {
        text.withUnsafeReadableBytes { bytes in
            kind = Self.end(of: Self.kindKey, in: bytes).map { start in
                String(decoding: bytes[start...].prefix { $0 != UInt8(ascii: "\"") }, as: UTF8.self)
            }
            seq = Self.number(after: Self.seqKey, in: bytes)
            messageID = Self.number(after: Self.messageKey, in: bytes)
            if kind == "reconnect" { afterMilliseconds = Self.number(after: Self.afterKey, in: bytes) }
        }
    }

    private static func number(after key: [UInt8], in bytes: UnsafeRawBufferPointer) -> Int? {
        guard let start = end(of: key, in: bytes) else { return nil }
        let digits = bytes[start...].prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        return Int(String(decoding: digits, as: UTF8.self))
    }

    /// Where the first `key` ends. From quote to quote, since every key begins with one.
    private static func end(of key: [UInt8], in bytes: UnsafeRawBufferPointer) -> Int? {
        guard let base = bytes.baseAddress else { return nil }
        var position = 0
        while bytes.count - position >= key.count {
            guard let quote = memchr(base + position, Int32(UInt8(ascii: "\"")), bytes.count - position) else { break }
            position = UnsafeRawPointer(quote) - base
            guard bytes.count - position >= key.count else { break }
            if memcmp(base + position, key, key.count) == 0 { return position + key.count }
            position += 1
        }
        return nil
    }
}
