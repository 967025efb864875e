import CommonUtil
import Synchronization

/// The place of a request in a distributed trace (W3C Trace Context, `traceparent`).
public struct TraceContext: Sendable, Hashable {
    // Numbers, since most requests end without a log line that needs the text.
    private let trace: UInt128
    private let span: UInt64

    /// The id of the trace, the same in all processes: 32 lower-case hex digits.
    public var traceID: String { Self.hex(UInt64(truncatingIfNeeded: trace >> 64), UInt64(truncatingIfNeeded: trace)) }
    /// The id of this process's part: 16 lower-case hex digits.
    public var spanID: String { Self.hex(span) }

    /// A placeholder, all zero, which is invalid in a header.
    public static let none = TraceContext(trace: 0, span: 0)

    private init(trace: UInt128, span: UInt64 = TraceIDGenerator.next()) {
        self.trace = trace
        self.span = span
    }

    /// Begins a trace.
    public init() {
        self.init(trace: UInt128(TraceIDGenerator.next()) << 64 | UInt128(TraceIDGenerator.next()))
    }

    /// Continues the caller's trace, or begins one where the header is absent or malformed (section 3.2.2.3 of the
    /// recommendation).
    /// - Parameter traceparent: the value of the header.
    public init(traceparent: String?) {
        guard let traceparent, let trace = Self.parse(traceparent) else {
            self.init()
            return
        }
        self.init(trace: trace)
    }

    // MARK: Reading

    /// - Returns: the caller's trace; `nil` for a malformed header.
    private static func parse(_ text: String) -> UInt128? {
        let bytes = Array(text.utf8)
        let dash = UInt8(ascii: "-")
        guard bytes.count >= 55, bytes[2] == dash, bytes[35] == dash, bytes[52] == dash,
            let version: UInt8 = number(bytes[0..<2]), version != 0xFF, (number(bytes[53..<55]) as UInt8?) != nil,
            // Later versions can append fields; version 00 has none.
            bytes.count == 55 || (version > 0 && bytes[55] == dash),
            let trace: UInt128 = number(bytes[3..<35]), trace != 0,
            let span: UInt64 = number(bytes[36..<52]), span != 0
        else { return nil }
        return trace
    }

    private static func number<Number: FixedWidthInteger>(_ digits: ArraySlice<UInt8>) -> Number? {
        digits.allSatisfy(isLowerHex) ? Number(String(decoding: digits, as: UTF8.self), radix: 16) : nil
    }

    private static func isLowerHex(_ byte: UInt8) -> Bool {
        byte.isASCIIDigit || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte)
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

/// Random numbers for trace and span ids, not for secrets. The system's generator costs a system call per number, which is
/// more than the rest of a request's ids.
enum TraceIDGenerator {
    private static let key = UInt64.random(in: 0...UInt64.max)
    private static let state = Atomic<UInt64>(UInt64.random(in: 0...UInt64.max))

    /// Returns a number other than 0, unique in this process and, very likely, among all.
    static func next() -> UInt64 {
        // SplitMix64 (Steele, Lea, Flood 2014), keyed.
        let number = mix(mix(state.wrappingAdd(0x9E37_79B9_7F4A_7C15, ordering: .relaxed).newValue) ^ key)
        return number == 0 ? next() : number
    }

    private static func mix(_ number: UInt64) -> UInt64 {
        var number = number
        number = (number ^ (number >> 30)) &* 0xBF58_476D_1CE4_E5B9
        number = (number ^ (number >> 27)) &* 0x94D0_49BB_1331_11EB
        return number ^ (number >> 31)
    }
}
