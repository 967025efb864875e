import ChatLocalStack
import Foundation

/// A named pipe (`fifo(7)`) that a child writes to and this process reads.
final class NamedPipe: Sendable {
    /// For the child to open.
    let path: String
    private let descriptor: Int32
    private let isRead = DispatchSemaphore(value: 0)

    /// - Throws: `LocalStackError` if the pipe cannot be made.
    init(path: String) throws {
        self.path = path
        guard mkfifo(path, 0o600) == 0 else { throw LocalStackError("Cannot make \(path) (errno \(errno))") }
        // Without O_NONBLOCK this would wait for a writer.
        descriptor = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
        guard descriptor >= 0 else { throw LocalStackError("Cannot open \(path) (errno \(errno))") }
    }

    /// Hands on what comes, as it comes, until all who write have gone. Until the first of them is there it waits. Blocks its
    /// thread.
    func read(_ onChunk: (ArraySlice<UInt8>) -> Void) {
        defer { isRead.signal() }
        var chunk = [UInt8](repeating: 0, count: 64 * 1024)
        while wait() {
            let count = Foundation.read(descriptor, &chunk, chunk.count)
            if count > 0 {
                onChunk(chunk[..<count])
            } else if count == 0 || (errno != EAGAIN && errno != EINTR) {
                return
            }
        }
    }

    private func wait() -> Bool {
        var events = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        while poll(&events, 1, -1) < 0 {
            guard errno == EINTR else { return false }
        }
        return true
    }

    /// Waits for the last of it; not for long, since a process that was left behind may hold the pipe open.
    func waitForEnd(_ limit: DispatchTimeInterval) {
        _ = isRead.wait(timeout: .now() + limit)
    }

    deinit { close(descriptor) }
}
