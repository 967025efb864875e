/// Splits a stream of bytes into lines. Keeps no more than one line and the bytes that came last. Pure.
struct LineSplitter {
    /// A line without its end.
    enum Line: Equatable {
        case text([UInt8])
        /// The line is too long, and was skipped while it arrived.
        case tooLarge
    }

    private static let end = UInt8(ascii: "\n")

    private let maximumBytes: Int
    private var input: [UInt8] = []
    /// The first byte of `input` that is not used.
    private var position = 0
    /// The beginning of a line whose end has not come.
    private var beginning: [UInt8] = []
    private var isTooLarge = false

    /// - Parameter maximumBytes: of a line.
    init(maximumBytes: Int) { self.maximumBytes = maximumBytes }

    /// Adds bytes. Those before should have been used: ``next()`` returned `nil`.
    mutating func append(_ bytes: some Collection<UInt8>) {
        input.removeFirst(position)
        position = 0
        input.append(contentsOf: bytes)
    }

    /// Takes the next line.
    /// - Returns: `nil` if its end has not come.
    mutating func next() -> Line? {
        let rest = input[position...]
        guard let end = rest.firstIndex(of: Self.end) else {
            take(rest)
            position = input.count
            return nil
        }
        take(rest[..<end])
        position = end + 1
        return finishLine()
    }

    /// Takes the last line, behind which no more bytes come.
    /// - Returns: `nil` if there is nothing behind the end of the line before.
    mutating func last() -> Line? {
        guard isTooLarge || !beginning.isEmpty else { return nil }
        return finishLine()
    }

    private mutating func take(_ bytes: ArraySlice<UInt8>) {
        guard !isTooLarge else { return }
        if beginning.count + bytes.count <= maximumBytes {
            beginning.append(contentsOf: bytes)
        } else {
            isTooLarge = true
            beginning = []
        }
    }

    private mutating func finishLine() -> Line {
        defer {
            beginning = []
            isTooLarge = false
        }
        return isTooLarge ? .tooLarge : .text(beginning)
    }
}
