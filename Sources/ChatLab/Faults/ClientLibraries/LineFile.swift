import ChatClient
import Foundation
import Synchronization

/// A file to which the client program adds lines. A line that was cut off by the end of the process is removed first.
final class LineFile: Sendable {
    /// Those that it had in the beginning.
    let lines: [Substring]
    private let handle: Mutex<FileHandle>

    init(_ folder: String, _ name: String) throws {
        let path = "\(folder)/\(name).log"
        let data = FileManager.default.contents(atPath: path) ?? Data()
        let whole = data.lastIndex(of: UInt8(ascii: "\n")).map { data.prefix(through: $0) } ?? Data()
        // If this fails, opening it does.
        if data.isEmpty { _ = FileManager.default.createFile(atPath: path, contents: nil) }
        lines = String(decoding: whole, as: UTF8.self).split(separator: "\n")
        let file = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
        try file.truncate(atOffset: UInt64(whole.count))
        handle = Mutex(file)
    }

    /// One write, so that a line is there or not.
    func add(_ line: String) {
        handle.withLock { $0.write(Data((line + "\n").utf8)) }
    }

    func add(_ event: ChatEvent) { add("\(event.roomID) \(event.seq) \(event.mark ?? "")") }

    /// Where each room's reader was in the beginning.
    var positions: [String: LogPosition] {
        lines.reduce(into: [:]) { positions, line in
            let words = line.split(separator: " ")
            guard words.count == 3 else { return }
            if words[0] == "reset" {
                positions[String(words[1])] = nil
            } else if let seq = Int64(words[1]) {
                positions[String(words[0])] = LogPosition(seq: seq, mark: String(words[2]))
            }
        }
    }

    /// How often each room had been begun again.
    var resets: [String: Int] {
        lines.reduce(into: [:]) { resets, line in
            let words = line.split(separator: " ")
            if words.count == 3, words[0] == "reset" { resets[String(words[1]), default: 0] += 1 }
        }
    }
}
