import Foundation

/// Splits bytes into numbered lines. Of a line that is longer than a post can be only the number is kept. Pure.
struct LineSplitter {
    /// A line of the input.
    enum Content: Equatable, Sendable {
        case text(String)
        case tooLong
        case notUTF8
    }

    /// A line that is to be sent.
    struct Line: Equatable, Sendable {
        /// From 1; empty lines count.
        let number: Int
        let content: Content
    }

    /// The largest body of a request.
    static let maximumBytes = 65_536

    private var number = 0
    private var line: [UInt8] = []
    private var isTooLong = false

    /// - Returns: the lines that these bytes end, without empty ones.
    mutating func add(_ bytes: some Sequence<UInt8>) -> [Line] {
        var lines: [Line] = []
        for byte in bytes {
            if byte == UInt8(ascii: "\n") {
                if let line = end() { lines.append(line) }
            } else if line.count < Self.maximumBytes {
                line.append(byte)
            } else {
                isTooLong = true
            }
        }
        return lines
    }

    /// - Returns: the last line, where that has no line feed.
    mutating func finish() -> Line? { line.isEmpty ? nil : end() }

    private mutating func end() -> Line? {
        number += 1
        defer { (line, isTooLong) = ([], false) }
        if isTooLong { return Line(number: number, content: .tooLong) }
        if line.last == UInt8(ascii: "\r") { line.removeLast() }
        guard !line.isEmpty else { return nil }
        return Line(number: number, content: String(validating: line, as: UTF8.self).map { .text($0) } ?? .notUTF8)
    }
}

/// The lines of standard input, read as they are asked for.
actor InputLines {
    private let descriptor: Int32
    private let work = BlockingWork("standard input")
    private var splitter = LineSplitter()
    private var ready: [LineSplitter.Line] = []
    private var isAtEnd = false

    init(descriptor: Int32 = STDIN_FILENO) { self.descriptor = descriptor }

    /// - Returns: the next line that is not empty; `nil` at the end.
    /// - Throws: `CancellationError`; ``CommandFailure`` where it cannot be read.
    func next() async throws -> LineSplitter.Line? {
        while ready.isEmpty, !isAtEnd {
            let bytes: [UInt8]
            (bytes, isAtEnd) = try await work.run { [descriptor] in try Self.read(descriptor) }
            ready += splitter.add(bytes)
            if isAtEnd, let line = splitter.finish() { ready.append(line) }
        }
        return ready.isEmpty ? nil : ready.removeFirst()
    }

    /// Reads up to the end of a line, byte by byte: what is not to be sent yet stays where it is, for whoever reads it next.
    /// That costs little beside sending the line.
    private static func read(_ descriptor: Int32) throws -> (bytes: [UInt8], isAtEnd: Bool) {
        var bytes: [UInt8] = []
        var byte: UInt8 = 0
        while bytes.last != UInt8(ascii: "\n"), bytes.count < LineSplitter.maximumBytes {
            let count = Foundation.read(descriptor, &byte, 1)
            if count == 0 { return (bytes, true) }
            if count > 0 {
                bytes.append(byte)
            } else if errno == EAGAIN {
                var state = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
                poll(&state, 1, -1)
            } else if errno != EINTR {
                throw CommandFailure.unavailable("cannot read standard input: \(String(cString: strerror(errno)))")
            }
        }
        return (bytes, false)
    }
}
