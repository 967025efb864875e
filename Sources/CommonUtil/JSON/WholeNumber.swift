/// Reads JSON numbers that are whole, however they are written: to JSON `1`, `1.0` and `1e0` are one number, and some
/// programs write every number with a fraction.
enum WholeNumber {
    /// - Returns: `nil` for a number with a fractional part, or beyond 64 bits. Exact, unlike a way through `Double`.
    static func value(ofNumber text: String) -> Int64? {
        if let value = Int64(text) { return value }
        let parts = text.split(maxSplits: 1) { $0 == "e" || $0 == "E" }
        guard let mantissa = parts.first, let exponent = parts.count == 2 ? Int(parts[1]) : 0 else { return nil }
        let halves = mantissa.split(separator: ".", maxSplits: 1)
        let fraction = halves.count == 2 ? halves[1] : ""
        var digits = String((halves.first ?? "") + fraction)
        guard digits.utf8.contains(where: { (0x31...0x39).contains($0) }) else { return 0 }
        let (zeros, overflow) = exponent.subtractingReportingOverflow(fraction.utf8.count)
        guard !overflow, zeros < 19 else { return nil }
        guard zeros < 0 else { return Int64(digits + String(repeating: "0", count: zeros)) }
        guard zeros > -digits.utf8.count, digits.suffix(-zeros).allSatisfy({ $0 == "0" }) else { return nil }
        digits.removeLast(-zeros)
        return Int64(digits)
    }
}
