import Foundation

/// The end of a text file: what a person wants to see of a log when something went wrong.
public enum TextTail {
    /// The last `count` lines of the file at `path`, reading at most its last 64 KiB; empty if there is no such file.
    public static func lines(_ count: Int, of path: String) -> [String] {
        guard let file = FileHandle(forReadingAtPath: path) else { return [] }
        defer { try? file.close() }
        let window: UInt64 = 64 * 1024
        guard let end = try? file.seekToEnd() else { return [] }
        guard (try? file.seek(toOffset: end > window ? end - window : 0)) != nil,
            let data = try? file.readToEnd()
        else { return [] }
        return String(decoding: data, as: UTF8.self)
            .split(separator: "\n", omittingEmptySubsequences: true)
            .suffix(count)
            .map(String.init)
    }
}
