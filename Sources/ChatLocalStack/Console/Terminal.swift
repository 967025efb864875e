import Foundation

/// What the person at the terminal reads. Written at once, also into a pipe, unlike `print`.
package enum Terminal {
    package static func say(_ text: String = "") {
        try? FileHandle.standardOutput.write(contentsOf: Data((text + "\n").utf8))
    }

    package static func complain(_ text: String) {
        try? FileHandle.standardError.write(contentsOf: Data((text + "\n").utf8))
    }
}
