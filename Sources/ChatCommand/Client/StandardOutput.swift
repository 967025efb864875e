import Foundation

/// Whoever read the output has gone.
struct OutputClosed: Error {}

/// Writes lines to standard output, each by one `write` where that takes it, so that a line is never mixed with another
/// process's. A reader that is slow makes the writer wait.
struct StandardOutput: Sendable {
    private let descriptor: Int32
    private let work = BlockingWork("standard output")

    init(descriptor: Int32 = STDOUT_FILENO) { self.descriptor = descriptor }

    /// Returns once the whole line is written.
    /// - Throws: ``OutputClosed``; `CancellationError`; ``CommandFailure`` where it cannot be written otherwise.
    func write(line: String) async throws {
        let bytes = Array((line + "\n").utf8)
        try await work.run { [descriptor] in
            var rest = bytes[...]
            while !rest.isEmpty {
                let count = rest.withUnsafeBytes { Foundation.write(descriptor, $0.baseAddress, $0.count) }
                if count >= 0 {
                    rest = rest.dropFirst(count)
                } else if errno == EPIPE {
                    throw OutputClosed()
                } else if errno == EAGAIN {
                    // Another program has made the pipe it shares with this one non-blocking.
                    var state = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                    poll(&state, 1, -1)
                } else if errno != EINTR {
                    throw CommandFailure.unavailable("cannot write: \(String(cString: strerror(errno)))")
                }
            }
        }
    }

    /// Waits until whoever read the output has gone, which a process that writes nothing would not notice otherwise.
    /// - Throws: ``OutputClosed``, or `CancellationError`.
    func waitUntilClosed() async throws {
        try await BlockingWork("end of output").run { [descriptor] in
            var state = pollfd(fd: descriptor, events: 0, revents: 0)
            while poll(&state, 1, -1) <= 0 {}
            throw OutputClosed()
        }
    }
}
