import Foundation

/// Finds what follows a name in JSON text without parsing it. For load clients, which get the same text many times.
enum ByteScan {
    /// The digits after the first `key`; nil if there are none.
    static func number<Number: FixedWidthInteger>(after key: [UInt8], in bytes: UnsafeRawBufferPointer) -> Number? {
        guard let start = end(of: key, in: bytes) else { return nil }
        let digits = bytes[start...].prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        return Number(String(decoding: digits, as: UTF8.self))
    }

    /// What stands between the first `key` and the next quote; nil if there is no `key`.
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
