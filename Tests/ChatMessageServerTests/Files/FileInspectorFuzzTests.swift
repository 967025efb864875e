import ChatTestSupport
import Testing

@testable import ChatMessageServer

@Suite(.timeLimit(.minutes(2))) struct FileInspectorFuzzTests {
    private func format(_ pieces: [[UInt8]]) -> FileFormat {
        var inspector = FileInspector()
        for piece in pieces { inspector.append(piece) }
        return inspector.finish()
    }

    @Test func `whatever a file holds, its type does not depend on how it is cut, and text is harmless`() throws {
        var fuzzer = Fuzzer("files")
        try fuzzer.run { input, random in
            let whole = format([input])
            let cut = format(random.pieces(input))
            guard whole == cut else { return "\(whole) is not \(cut)" }
            if let size = whole.size, !(1...65_535).contains(size.width) || !(1...65_535).contains(size.height) {
                return "\(size)"
            }
            guard whole.type == .plainText else { return nil }
            guard let text = String(validating: input, as: UTF8.self) else { return "no UTF-8, but text" }
            let control = text.unicodeScalars.first {
                $0.properties.generalCategory == .control && !["\t", "\n", "\r"].contains($0)
            }
            return control.map { "text with U+\(String($0.value, radix: 16))" }
        }
    }
}
