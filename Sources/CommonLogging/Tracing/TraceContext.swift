/// A request's place in a distributed trace (W3C Trace Context, `traceparent`).
public struct TraceContext: Sendable, Hashable {
    // Numbers, since most requests end without a line in the log that would spell them out.
    private let trace: UInt128
    private let span: UInt64
    private let parentSpan: UInt64
    /// Bit 0: whether the caller records this trace.
    public let flags: UInt8

    /// 32 lower-case hex digits, not all zero. The same for every process that takes part.
    public var traceID: String { Self.hex(UInt64(truncatingIfNeeded: trace >> 64), UInt64(truncatingIfNeeded: trace)) }
    /// 16 lower-case hex digits, not all zero. This process's own part.
    public var spanID: String { Self.hex(span) }
    /// The caller's span, where there is one.
    public var parentSpanID: String? { parentSpan == 0 ? nil : Self.hex(parentSpan) }

    /// Stands where no trace has begun; what is all zero is valid nowhere else.
    public static let none = TraceContext(trace: 0, span: 0, parentSpan: 0, flags: 0)

    private init(trace: UInt128, span: UInt64 = TraceWords.next(), parentSpan: UInt64, flags: UInt8) {
        self.trace = trace
        self.span = span
        self.parentSpan = parentSpan
        self.flags = flags
    }

    /// A trace that starts here.
    public init() {
        let trace = UInt128(TraceWords.next()) << 64 | UInt128(TraceWords.next())
        self.init(trace: trace, parentSpan: 0, flags: 0)
    }

    /// Goes on with the caller's trace where the header is well-formed, else starts one (section 3.2.2.3 of the
    /// recommendation: a malformed header is ignored).
    public init(traceparent: String?) {
        guard let traceparent, let caller = Self.parse(traceparent) else {
            self.init()
            return
        }
        self.init(trace: caller.trace, parentSpan: caller.span, flags: caller.flags)
    }

    /// The header for a call that this process makes.
    public var traceparent: String {
        let flags = String(flags, radix: 16)
        return "00-\(traceID)-\(spanID)-\(flags.count == 1 ? "0" : "")\(flags)"
    }

    /// A part of this trace below this one.
    public func child() -> TraceContext { TraceContext(trace: trace, parentSpan: span, flags: flags) }

    // MARK: Reading

    private static func parse(_ text: String) -> (trace: UInt128, span: UInt64, flags: UInt8)? {
        let bytes = Array(text.utf8)
        let dash = UInt8(ascii: "-")
        guard bytes.count >= 55, bytes[2] == dash, bytes[35] == dash, bytes[52] == dash,
            let version: UInt8 = number(bytes[0..<2]), version != 0xFF, let flags: UInt8 = number(bytes[53..<55]),
            // Later versions may append fields; version 00 has none.
            bytes.count == 55 || (version > 0 && bytes[55] == dash),
            let trace: UInt128 = number(bytes[3..<35]), trace != 0,
            let span: UInt64 = number(bytes[36..<52]), span != 0
        else { return nil }
        return (trace, span, flags & 1)
    }

    private static func number<Number: FixedWidthInteger>(_ digits: ArraySlice<UInt8>) -> Number? {
        digits.allSatisfy(isLowerHex) ? Number(String(decoding: digits, as: UTF8.self), radix: 16) : nil
    }

    private static func isLowerHex(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte)
    }

    // MARK: Writing

    private static func hex(_ words: UInt64...) -> String {
        String(unsafeUninitializedCapacity: words.count * 16) { digits in
            for (start, word) in words.enumerated() {
                var word = word
                for index in (start * 16..<start * 16 + 16).reversed() {
                    let digit = UInt8(truncatingIfNeeded: word & 0xF)
                    digits[index] = digit + (digit < 10 ? UInt8(ascii: "0") : UInt8(ascii: "a") - 10)
                    word >>= 4
                }
            }
            return words.count * 16
        }
    }
}
