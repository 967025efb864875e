import Foundation
import UnixSignals

/// Output for the person at the terminal, written without a buffer, unlike `print`.
package enum Terminal {
    /// Writes a line to standard output.
    package static func print(_ text: String = "") {
        try? FileHandle.standardOutput.write(contentsOf: Data((text + "\n").utf8))
    }

    /// Writes a line to standard error.
    package static func printError(_ text: String) {
        try? FileHandle.standardError.write(contentsOf: Data((text + "\n").utf8))
    }
}

/// Ctrl-C, `SIGTERM` and a closed terminal. The first asks for a graceful stop; with the second the process ends
/// at once, and the children's watchdogs see to the rest.
package struct Interrupts: Sendable {
    private let first: AsyncStream<Void>

    /// Handles the signals from here on.
    package init() async {
        let signals = await UnixSignalsSequence(trapping: .sigint, .sigterm, .sighup)
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self)
        first = stream
        Task.detached {
            var count = 0
            for await _ in signals {
                count += 1
                if count > 1 { exit(130) }
                continuation.finish()
            }
        }
    }

    /// Returns at the first interrupt, or when the task is cancelled.
    package func wait() async {
        for await _ in first {}
    }
}
