import Testing

@testable import ChatMessageServer

@Suite(.timeLimit(.minutes(1))) struct TextCheckTests {
    private func isText(_ bytes: [UInt8]) -> Bool {
        var check = TextCheck()
        check.append(bytes)
        return check.isText
    }

    private func isText(_ text: String) -> Bool { isText(Array(text.utf8)) }

    @Test func `every scalar but control characters is text`() {
        let check: (UInt32) -> Bool = { value in
            guard let scalar = Unicode.Scalar(value) else { return true }
            let isAllowed = scalar.properties.generalCategory != .control || "\t\n\r".unicodeScalars.contains(scalar)
            return isText("a" + String(Character(scalar))) == isAllowed
        }
        #expect((0...0x11FF).allSatisfy(check))
        #expect(stride(from: 0x1200, through: 0x10FFFF, by: 61).allSatisfy(check))
        #expect((0xD700...0xE100).allSatisfy(check))
        #expect((0x10FFF0...0x10FFFF).allSatisfy(check))
    }

    @Test(
        arguments: [
            // Continuations alone and missing, long forms, surrogates, beyond U+10FFFF, bytes that UTF-8 does not have.
            [0x80], [0x61, 0xBF], [0xC3], [0xC3, 0x61], [0xE2, 0x82], [0xF0, 0x9F, 0x99], [0xC0, 0xAF], [0xC1, 0x81],
            [0xE0, 0x80, 0xAF], [0xE0, 0x9F, 0xBF], [0xF0, 0x80, 0x80, 0xAF], [0xF0, 0x8F, 0xBF, 0xBF],
            [0xED, 0xA0, 0x80],
            [0xF4, 0x90, 0x80, 0x80], [0xF5, 0x80, 0x80, 0x80], [0xFE], [0xFF], [0xE2, 0x28, 0xA1],
            // UTF-16.
            [0xFF, 0xFE, 0x61, 0], [0x61, 0],
        ] as [[UInt8]])
    func `what is not UTF-8 is no text`(bytes: [UInt8]) { #expect(!isText(bytes)) }

    @Test(arguments: [
        "<!DOCTYPE html>", "<html>", "<SCRIPT>", "<!-- -->", "<?xml version='1.0'?>", "<svg/>", "</p>", "<_:x/>",
        "<é/>",
        " \t\r\n<p>", "\u{FEFF}<b>", "\u{FEFF} \n<b>",
    ])
    func `what begins like HTML, XML or SVG is no text`(text: String) { #expect(!isText(text)) }

    @Test(arguments: [
        "", " ", "\u{FEFF}", "<", "< b", "<3 you", "<- back", "a <b>", "\u{FEFF}a<b>", "x\n<html>", "🙂<b>",
        "{\"a\": \"<b>\"}",
    ])
    func `other text is`(text: String) { #expect(isText(text)) }

    @Test func `a byte that is no text is found at every place of a long line`() {
        for byte in [0x00, 0x1F, 0x7F, 0x80, 0xFF] as [UInt8] {
            for place in 0..<40 {
                var line = [UInt8](repeating: 0x7E, count: 40)
                line[place] = byte
                #expect(!isText(line))
            }
        }
        for place in 0..<40 {
            var line = [UInt8](repeating: 0x20, count: 40)
            line[0] = 0x61
            line.replaceSubrange(place..<place, with: Array("é\n".utf8))
            #expect(isText(line))
        }
    }

    @Test func `blanks without end hide no tag`() {
        var check = TextCheck()
        for _ in 0..<20 { check.append([UInt8](repeating: 0x20, count: 4_096)) }
        #expect(check.isText)
        check.append(Array("<".utf8))
        check.append(Array("svg".utf8))
        #expect(!check.isText)
    }
}

extension TextCheck {
    fileprivate mutating func append(_ bytes: [UInt8]) { bytes.withUnsafeBytes { append($0) } }
}
