import CommonUtil
import NIOCore

/// A strict parser of a chunked body (RFC 9112 section 7.1). Chunk extensions and trailers are checked and dropped. Does
/// no I/O.
struct ChunkedBody {
    /// The result of ``next(_:)``.
    enum Part: Equatable {
        /// More input is needed.
        case incomplete
        case data(ByteBuffer)
        case end
    }

    private enum Position {
        case size
        case data(remaining: Int)
        /// The CR LF behind the data.
        case dataEnd
        case trailers
    }

    /// Maximum length of the line with a chunk's size and extensions.
    private static let maximumLineBytes = 1_024
    /// Maximum length of a chunk's size: far more than any route reads.
    private static let maximumSizeDigits = 8

    private var position = Position.size
    private var trailerBytes = 0
    private var trailerCount = 0

    /// Takes the next part from the input. Must be called until it returns `incomplete` or `end`.
    /// - Throws: `malformed_request`, or `header_too_large` for the trailers.
    mutating func next(_ bytes: inout ByteBuffer) throws(ChatError) -> Part {
        while true {
            switch position {
            case .size:
                guard let line = try takeLine(&bytes, maximum: Self.maximumLineBytes) else { return .incomplete }
                let size = try Self.size(line)
                position = size == 0 ? .trailers : .data(remaining: size)
            case .data(let remaining):
                guard let data = bytes.readSlice(length: min(remaining, bytes.readableBytes)), data.readableBytes > 0
                else { return .incomplete }
                let rest = remaining - data.readableBytes
                position = rest == 0 ? .dataEnd : .data(remaining: rest)
                return .data(data)
            case .dataEnd:
                guard let line = try takeLine(&bytes, maximum: 0) else { return .incomplete }
                guard line.isEmpty else { throw Self.malformed }
                position = .size
            case .trailers:
                let maximum = RequestBounds.maximumHeadBytes - trailerBytes
                guard maximum > 0 else { throw ChatError(.headerTooLarge) }
                guard let line = try takeLine(&bytes, maximum: maximum) else { return .incomplete }
                if line.isEmpty { return .end }
                try takeTrailer(line)
            }
        }
    }

    private static let malformed = ChatError(.malformedRequest, "The body is not chunked as it says")

    private mutating func takeTrailer(_ line: [UInt8]) throws(ChatError) {
        trailerBytes += line.count + 2
        trailerCount += 1
        guard trailerCount <= RequestBounds.maximumFields else { throw ChatError(.headerTooLarge) }
        let isField = line.withUnsafeBufferPointer { RequestHeadGrammar(bytes: $0).field(0..<$0.count) != nil }
        guard isField else { throw Self.malformed }
    }

    /// `1*HEXDIG [ chunk-ext ]`
    private static func size(_ line: [UInt8]) throws(ChatError) -> Int {
        let digits = line.prefix { $0 < 0x80 && Character(UnicodeScalar($0)).isHexDigit }
        guard (1...maximumSizeDigits).contains(digits.count),
            let size = Int(String(decoding: digits, as: UTF8.self), radix: 16)
        else { throw malformed }
        let rest = line[digits.endIndex...].drop(while: RequestHeadGrammar.isBlank)
        guard digits.endIndex == line.endIndex || rest.first == UInt8(ascii: ";"),
            rest.allSatisfy(RequestHeadGrammar.isValueByte)
        else { throw malformed }
        return size
    }

    /// - Returns: the next line without its CR LF; `nil` if it is incomplete.
    private func takeLine(_ bytes: inout ByteBuffer, maximum: Int) throws(ChatError) -> [UInt8]? {
        let view = bytes.readableBytesView
        guard let end = view.prefix(maximum + 2).firstIndex(of: UInt8(ascii: "\n")) else {
            guard view.count <= maximum + 1 else { throw Self.malformed }
            return nil
        }
        let line = view[view.startIndex..<end]
        guard line.last == UInt8(ascii: "\r"), !line.dropLast().contains(UInt8(ascii: "\r")) else {
            throw Self.malformed
        }
        bytes.moveReaderIndex(forwardBy: line.count + 1)
        return Array(line.dropLast())
    }
}
