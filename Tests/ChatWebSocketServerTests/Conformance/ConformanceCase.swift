import NIOCore
import Testing

@testable import ChatWebSocketServer

/// Bytes of a client to the echo server, and all that must come back. In the style of Autobahn's test suite, whose
/// sections the names carry (https://github.com/crossbario/autobahn-testsuite).
struct ConformanceCase: Sendable, CustomTestStringConvertible {
    /// The part of the answer that counts.
    enum Ending: Sendable, Equatable {
        /// The connection stays open.
        case open
        /// This close frame ends what is sent; a reason of the server's is not compared.
        case close(UInt16?)
    }

    let name: String
    /// As they are written to the socket, one after the other.
    let pieces: [[UInt8]]
    /// Frames before the end, whole.
    let answers: [[UInt8]]
    let ending: Ending

    var testDescription: String { name }

    /// - Parameter step: how many octets are written at once.
    init(
        _ name: String, _ bytes: [UInt8], step: Int = .max, answers: [[UInt8]] = [], ending: Ending = .open
    ) {
        var pieces: [[UInt8]] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            pieces.append(Array(rest.prefix(step)))
            rest = rest.dropFirst(step)
        }
        self.init(name, pieces: pieces, answers: answers, ending: ending)
    }

    init(_ name: String, pieces: [[UInt8]], answers: [[UInt8]] = [], ending: Ending = .open) {
        self.name = name
        self.pieces = pieces
        self.answers = answers
        self.ending = ending
    }

    /// - Returns: what went wrong, if anything.
    func fault(of output: [UInt8]) -> String? {
        let expected = answers.flatMap { $0 }
        guard output.starts(with: expected) else { return "other answers: \(output.prefix(40))" }
        let rest = Array(output.dropFirst(expected.count))
        switch ending {
        case .open:
            return rest.isEmpty ? nil : "more than was expected: \(rest.prefix(40))"
        case .close(let code):
            guard rest.count >= 2, rest[0] == 0x88, Int(rest[1]) == rest.count - 2, rest.count - 2 <= 125 else {
                return "not a single close frame: \(rest.prefix(40))"
            }
            let found = rest.count >= 4 ? UInt16(rest[2]) << 8 | UInt16(rest[3]) : nil
            return found == code ? nil : "close code \(found.map(String.init) ?? "none")"
        }
    }
}

/// The bytes that the server writes.
enum ServerFrame {
    static func text(_ payload: [UInt8]) -> [UInt8] { frame(0x81, payload) }

    static func binary(_ payload: [UInt8]) -> [UInt8] { frame(0x82, payload) }

    static func pong(_ payload: [UInt8]) -> [UInt8] { frame(0x8A, payload) }

    private static func frame(_ first: UInt8, _ payload: [UInt8]) -> [UInt8] {
        let count = payload.count
        let length: [UInt8] =
            switch count {
            case ...125: [UInt8(count)]
            case ...0xFFFF: [126, UInt8(count >> 8), UInt8(count & 0xFF)]
            default: [127] + (0..<8).reversed().map { UInt8(truncatingIfNeeded: count >> ($0 * 8)) }
            }
        return [first] + length + payload
    }
}
