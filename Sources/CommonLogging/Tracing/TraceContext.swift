/// A request's place in a distributed trace (W3C Trace Context, `traceparent`).
public struct TraceContext: Sendable, Hashable {
    /// 32 lower-case hex digits, not all zero. The same for every process that takes part.
    public let traceID: String
    /// 16 lower-case hex digits, not all zero. This process's own part.
    public let spanID: String
    /// The caller's span, where there is one.
    public let parentSpanID: String?
    /// Bit 0: whether the caller records this trace.
    public let flags: UInt8

    /// Stands where no trace has begun; what is all zero is valid nowhere else.
    public static let none = TraceContext(
        traceID: String(repeating: "0", count: 32), spanID: String(repeating: "0", count: 16), parentSpanID: nil,
        flags: 0)

    private init(traceID: String, spanID: String = randomHex(words: 1), parentSpanID: String?, flags: UInt8) {
        self.traceID = traceID
        self.spanID = spanID
        self.parentSpanID = parentSpanID
        self.flags = flags
    }

    /// A trace that starts here.
    public init() { self.init(traceID: Self.randomHex(words: 2), parentSpanID: nil, flags: 0) }

    /// Goes on with the caller's trace where the header is well-formed, else starts one (section 3.2.2.3 of the
    /// recommendation: a malformed header is ignored).
    public init(traceparent: String?) {
        guard let traceparent, let caller = Self.parse(traceparent) else {
            self.init()
            return
        }
        self.init(traceID: caller.traceID, parentSpanID: caller.spanID, flags: caller.flags)
    }

    /// The header for a call that this process makes.
    public var traceparent: String {
        let flags = String(flags, radix: 16)
        return "00-\(traceID)-\(spanID)-\(flags.count == 1 ? "0" : "")\(flags)"
    }

    /// A part of this trace below this one.
    public func child() -> TraceContext { TraceContext(traceID: traceID, parentSpanID: spanID, flags: flags) }

    // MARK: Reading

    private static func parse(_ text: String) -> (traceID: String, spanID: String, flags: UInt8)? {
        let bytes = Array(text.utf8)
        let dash = UInt8(ascii: "-")
        guard bytes.count >= 55, bytes[2] == dash, bytes[35] == dash, bytes[52] == dash,
            let version = hexByte(bytes[0..<2]), version != 0xFF, let flags = hexByte(bytes[53..<55]),
            // Later versions may append fields; version 00 has none.
            bytes.count == 55 || (version > 0 && bytes[55] == dash),
            let traceID = hexID(bytes[3..<35]), let spanID = hexID(bytes[36..<52])
        else { return nil }
        return (traceID, spanID, flags & 1)
    }

    private static func hexByte(_ digits: ArraySlice<UInt8>) -> UInt8? {
        digits.allSatisfy(isLowerHex) ? UInt8(String(decoding: digits, as: UTF8.self), radix: 16) : nil
    }

    private static func hexID(_ digits: ArraySlice<UInt8>) -> String? {
        guard digits.allSatisfy(isLowerHex), digits.contains(where: { $0 != UInt8(ascii: "0") }) else { return nil }
        return String(decoding: digits, as: UTF8.self)
    }

    private static func isLowerHex(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte)
    }

    // MARK: Making

    /// No word is zero, so no id is.
    private static func randomHex(words: Int) -> String {
        String(unsafeUninitializedCapacity: words * 16) { digits in
            for start in stride(from: 0, to: words * 16, by: 16) {
                var word = TraceWords.next()
                for index in (start..<start + 16).reversed() {
                    let digit = UInt8(truncatingIfNeeded: word & 0xF)
                    digits[index] = digit + (digit < 10 ? UInt8(ascii: "0") : UInt8(ascii: "a") - 10)
                    word >>= 4
                }
            }
            return words * 16
        }
    }
}
