import Testing

@testable import ChatWebSocketServer

@Suite(.timeLimit(.minutes(2))) struct UTF8ValidatorTests {
    private func isText(_ pieces: [UInt8]...) -> Bool {
        var validator = UTF8Validator()
        for piece in pieces where piece.withUnsafeBytes({ validator.take($0) }) == false { return false }
        return validator.isComplete
    }

    static let samples: [[UInt8]] =
        UTF8Samples.valid + UTF8Samples.invalid + UTF8Samples.truncated + [Array("κόσμε, ä€😀".utf8)]

    @Test(arguments: samples)
    func `wherever text is cut, the result is the standard library's`(bytes: [UInt8]) {
        let expected = String(validating: bytes, as: UTF8.self) != nil
        for first in 0...bytes.count {
            for second in first...bytes.count {
                #expect(
                    isText(Array(bytes[..<first]), Array(bytes[first..<second]), Array(bytes[second...])) == expected)
            }
        }
    }

    @Test func `every scalar is valid, and its bytes without the last are incomplete`() {
        for value in UInt32(0)...0x10FFFF {
            guard let scalar = Unicode.Scalar(value) else { continue }
            var validator = UTF8Validator()
            let bytes = Array(UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
            let isWhole = bytes.dropLast().allSatisfy { byte in
                let isGood = withUnsafeBytes(of: byte) { validator.take($0) }
                return isGood && !validator.isComplete
            }
            let isGood = withUnsafeBytes(of: bytes[bytes.count - 1]) { validator.take($0) }
            guard isWhole, isGood, validator.isComplete else {
                Issue.record("U+\(String(value, radix: 16))")
                return
            }
        }
    }

    /// All of what a sequence can begin with: what no text begins with is refused at its last byte, not later.
    @Test func `every pair of bytes is accepted or refused at once`() {
        for first in UInt8.min...UInt8.max {
            for second in UInt8.min...UInt8.max {
                var validator = UTF8Validator()
                let isAccepted = [first, second].withUnsafeBytes { validator.take($0) }
                // Completed with continuation bytes it is valid, if it can become valid at all.
                let canBeText = ([0x80, 0x90, 0xA0] as [UInt8]).contains { filler in
                    (0...3).contains { count in
                        let bytes = [first, second] + [UInt8](repeating: filler, count: count)
                        return String(validating: bytes, as: UTF8.self) != nil
                    }
                }
                #expect(isAccepted == canBeText, "\(first) \(second)")
            }
        }
    }
}

/// The samples of Autobahn's section 6 and others of their kinds.
enum UTF8Samples {
    static let valid: [[UInt8]] = [
        [], [0x00], [0x7F], [0xC2, 0x80], [0xDF, 0xBF], [0xE0, 0xA0, 0x80], [0xED, 0x9F, 0xBF], [0xEE, 0x80, 0x80],
        [0xEF, 0xBF, 0xBD], [0xEF, 0xBF, 0xBE], [0xEF, 0xBF, 0xBF], [0xF0, 0x90, 0x80, 0x80], [0xF0, 0x9F, 0xBF, 0xBE],
        [0xF0, 0x9F, 0xBF, 0xBF], [0xF1, 0x80, 0x80, 0x80], [0xF3, 0xBF, 0xBF, 0xBF], [0xF4, 0x8F, 0xBF, 0xBE],
        [0xF4, 0x8F, 0xBF, 0xBF],
    ]
    /// With no continuation text.
    static let invalid: [[UInt8]] = [
        [0x80], [0xBF], [0x80, 0xBF], [0xC0], [0xC1], [0xC0, 0x80], [0xC1, 0xBF], [0xC2, 0x20], [0xE0, 0x80, 0x80],
        [0xE0, 0x9F, 0xBF], [0xE1, 0x80, 0x20], [0xED, 0xA0, 0x80], [0xED, 0xAD, 0xBF], [0xED, 0xBF, 0xBF],
        [0xED, 0xA0, 0x80, 0xED, 0xB0, 0x80], [0xF0, 0x80, 0x80, 0x80], [0xF0, 0x8F, 0xBF, 0xBF],
        [0xF0, 0x90, 0x80, 0x20], [0xF4, 0x90, 0x80, 0x80], [0xF5], [0xF5, 0x80, 0x80, 0x80], [0xF7, 0xBF, 0xBF, 0xBF],
        [0xF8, 0x88, 0x80, 0x80, 0x80], [0xFB, 0xBF, 0xBF, 0xBF, 0xBF], [0xFC, 0x84, 0x80, 0x80, 0x80, 0x80],
        [0xFD, 0xBF, 0xBF, 0xBF, 0xBF, 0xBF], [0xFE], [0xFF], [0xFE, 0xFE, 0xFF, 0xFF],
    ]
    static let truncated: [[UInt8]] = [
        [0xC2], [0xDF], [0xE0, 0xA0], [0xE2], [0xED, 0x9F], [0xF0], [0xF0, 0x90], [0xF0, 0x90, 0x80],
        [0xF4, 0x8F, 0xBF],
    ]
}
