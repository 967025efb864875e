import CommonUtil
import Foundation
import NIOCore

/// The two numbers of an event that a load client looks at, found without parsing: a thousand sockets get the same text.
struct FrameFields: Equatable {
    /// The member `seq` of the event.
    var seq: Int?
    /// The member `sentNanos` that the bench put into the payload, which the event holds as JSON inside a string.
    var sentNanos: UInt64?

    // Within the string the closing quote of a name is escaped, so neither can be taken for the other.
    private static let seqKey = Array(#""seq":"#.utf8)
    private static let sentKey = Array(#"sentNanos\":"#.utf8)
    static let sentName = "sentNanos"

    init(_ text: ByteBuffer) {
        text.withUnsafeReadableBytes { bytes in
            seq = ByteScan.number(after: Self.seqKey, in: bytes)
            sentNanos = ByteScan.number(after: Self.sentKey, in: bytes)
        }
    }
}

/// Finds what follows a name in JSON text without parsing it. For load clients, which get the same text many times.
enum ByteScan {
    /// The digits after the first `key`; nil if there are none, or too many.
    static func number<Number: FixedWidthInteger>(after key: [UInt8], in bytes: UnsafeRawBufferPointer) -> Number? {
        guard let start = end(of: key, in: bytes) else { return nil }
        var position = start
        var number: Number = 0
        while position < bytes.count, bytes[position].isASCIIDigit {
            let (tens, isTooLarge) = number.multipliedReportingOverflow(by: 10)
            let (sum, overflows) = tens.addingReportingOverflow(Number(bytes[position] - UInt8(ascii: "0")))
            guard !isTooLarge, !overflows else { return nil }
            number = sum
            position += 1
        }
        return position > start ? number : nil
    }

    /// The text between the first `key` and the next quote; nil if there is no `key`.
    static func text(after key: [UInt8], in bytes: UnsafeRawBufferPointer) -> String? {
        guard let start = end(of: key, in: bytes) else { return nil }
        return String(decoding: bytes[start...].prefix { $0 != UInt8(ascii: "\"") }, as: UTF8.self)
    }

    /// Where the first `key` ends.
    private static func end(of key: [UInt8], in bytes: UnsafeRawBufferPointer) -> Int? {
        guard let base = bytes.baseAddress, let first = key.first else { return nil }
        var position = 0
        while bytes.count - position >= key.count {
            guard let next = memchr(base + position, Int32(first), bytes.count - position) else { break }
            position = UnsafeRawPointer(next) - base
            guard bytes.count - position >= key.count else { break }
            if memcmp(base + position, key, key.count) == 0 { return position + key.count }
            position += 1
        }
        return nil
    }
}
