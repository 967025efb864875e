import Foundation
import Testing

/// The tests of the whole package, as text.
@Suite(.timeLimit(.minutes(1))) struct SuiteLimitTests {
    /// Without one a test that hangs would hold up the run until the watchdog ends all of it.
    @Test func `every suite has a time limit of at most two minutes, and every test is in a suite`() throws {
        // …/Tests/ChatCommandTests/Test/SuiteLimitTests.swift
        let tests = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let files = try #require(FileManager.default.enumerator(at: tests, includingPropertiesForKeys: nil))
        var suites = 0
        for case let file as URL in files where file.pathExtension == "swift" {
            let lines = try String(contentsOf: file, encoding: .utf8).split(separator: "\n").map {
                $0.drop { $0 == " " }
            }
            let declarations = lines.filter { $0.hasPrefix("@Suite") }
            suites += declarations.count
            for line in declarations {
                #expect(
                    line.contains(".timeLimit(.minutes(1))") || line.contains(".timeLimit(.minutes(2))"),
                    "\(file.lastPathComponent): \(line)")
            }
            if lines.contains(where: { $0.hasPrefix("@Test") }) {
                #expect(!declarations.isEmpty, "\(file.lastPathComponent) has tests outside a suite")
            }
        }
        #expect(suites > 150)
    }
}
