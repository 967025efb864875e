/// Reading of numbers and marks in bytes that others have made: what is beyond the end is absent.
extension RandomAccessCollection where Element == UInt8, Index == Int {
    /// An unsigned number.
    /// - Parameters:
    ///   - offset: from the first byte on, not negative.
    ///   - size: in bytes, at most 4.
    func integer(at offset: Int, size: Int, isLittleEndian: Bool = false) -> Int? {
        guard offset <= count - size else { return nil }
        let bytes = self[(startIndex + offset)..<(startIndex + offset + size)]
        return isLittleEndian
            ? bytes.reversed().reduce(0) { $0 << 8 | Int($1) } : bytes.reduce(0) { $0 << 8 | Int($1) }
    }

    /// Whether a text stands at a place.
    func has(_ text: StaticString, at offset: Int) -> Bool {
        guard offset <= count else { return false }
        return self[(startIndex + offset)...].starts(
            with: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }
}
