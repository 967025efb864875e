import CommonUtil
import Glibc
import Synchronization
import Testing

@testable import CommonLogging

@Suite(.timeLimit(.minutes(2))) struct QueuedLogOutputTests {
    /// A pipe whose reading end nobody reads until ``readAll()``.
    private final class UnreadPipe {
        let reader: Int32
        let writer: Int32

        init() throws {
            var ends: [Int32] = [-1, -1]
            try #require(pipe(&ends) == 0)
            (reader, writer) = (ends[0], ends[1])
        }

        deinit {
            close(reader)
            close(writer)
        }

        /// Reads until the lines are all that is waited for.
        func readLines(until areAll: ([Substring]) -> Bool) -> [Substring] {
            var bytes: [UInt8] = []
            var chunk = [UInt8](repeating: 0, count: 1 << 16)
            while true {
                let count = read(reader, &chunk, chunk.count)
                guard count > 0 else { break }
                bytes += chunk[..<count]
                guard bytes.last == UInt8(ascii: "\n") else { continue }
                let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n")
                if areAll(lines) { return lines }
            }
            return String(decoding: bytes, as: UTF8.self).split(separator: "\n")
        }
    }

    private final class DropCount: Sendable {
        let value = Atomic(0)
    }

    private func line(_ number: Int) -> [UInt8] {
        Array("\(number) \(String(repeating: "x", count: 1_000))\n".utf8)
    }

    @Test func `a reader that does not read delays no caller`() throws {
        let pipe = try UnreadPipe()
        let drops = DropCount()
        let output = QueuedLogOutput(
            pipe.writer, capacity: 64 << 10, notice: { Array("\($0) dropped\n".utf8) },
            onDrop: { drops.value.add(1, ordering: .relaxed) })
        // More than the pipe and the queue hold together: a write that waits would wait for ever.
        for number in 0..<2_000 { output.write(line(number)) }
        let dropped = drops.value.load(ordering: .relaxed)
        #expect(dropped > 0)
        #expect(!output.flush(within: .milliseconds(1)))

        // Nothing is missing that is not counted, what is there is in order, and each gap is said where it is.
        let lines = pipe.readLines { lines in lines.reduce(0) { $0 + standsFor($1) } >= 2_000 }
        var next = 0
        for line in lines {
            if !isGap(line) { #expect(number(line) == next) }
            next += standsFor(line)
        }
        #expect(next == 2_000)
        #expect(lines.count { !isGap($0) } == 2_000 - dropped)
        output.write(Array("after\n".utf8))
        #expect(pipe.readLines { $0.last == "after" } == ["after"])
        output.stop()
    }

    private func isGap(_ line: Substring) -> Bool { line.hasSuffix("dropped") }
    private func number(_ line: Substring) -> Int? { Int(line.prefix { $0.isNumber }) }
    private func standsFor(_ line: Substring) -> Int { isGap(line) ? number(line) ?? 0 : 1 }

    @Test func `a flush returns when everything is written`() throws {
        let pipe = try UnreadPipe()
        let output = QueuedLogOutput(pipe.writer)
        for number in 0..<10 { output.write(Array("\(number)\n".utf8)) }
        #expect(output.flush(within: .seconds(60)))
        #expect(pipe.readLines { $0.last == "9" }.count == 10)
        output.stop()
    }

    @Test func `a non-blocking pipe loses nothing`() throws {
        let pipe = try UnreadPipe()
        _ = fcntl(pipe.writer, F_SETFL, O_NONBLOCK)
        let output = QueuedLogOutput(pipe.writer)
        for number in 0..<200 { output.write(line(number)) }
        #expect(pipe.readLines { $0.last?.hasPrefix("199 ") == true }.count == 200)
        output.stop()
    }

    @Test func `a descriptor that cannot be written counts its lines`() throws {
        let drops = DropCount()
        let descriptor = open("/dev/full", O_WRONLY)
        try #require(descriptor >= 0)
        defer { close(descriptor) }
        let output = QueuedLogOutput(descriptor, onDrop: { drops.value.add(1, ordering: .relaxed) })
        output.write(Array("lost\n".utf8))
        #expect(output.flush(within: .seconds(60)))
        #expect(drops.value.load(ordering: .relaxed) == 1)
        output.stop()
    }

    @Test(arguments: LogFormat.allCases)
    func `a gap is a line of the log's format`(format: LogFormat) {
        let line = String(decoding: ChatLogging.dropped(lines: 7, service: "Test", format: format), as: UTF8.self)
        #expect(line.contains("7 lines dropped") && line.hasSuffix("\n"))
        #expect(line.hasPrefix("{") == (format == .json))
    }
}
