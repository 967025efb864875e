import Foundation

/// What the person at the terminal reads. Written at once, also into a pipe, unlike `print`.
enum Terminal {
    static func say(_ text: String = "") {
        try? FileHandle.standardOutput.write(contentsOf: Data((text + "\n").utf8))
    }

    static func complain(_ text: String) {
        try? FileHandle.standardError.write(contentsOf: Data((text + "\n").utf8))
    }
}
