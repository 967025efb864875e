import ChatLocalStack
import Foundation

/// What the tests print, as a named pipe: it is passed on to standard output as it comes, and read line by line.
final class TestOutput: Sendable {
    /// Where the pipe is, for the child to open.
    let path: String
    private let folder: String
    private let descriptor: Int32
    private let isRead = DispatchSemaphore(value: 0)

    /// - Throws: `LocalStackError` if the pipe cannot be made.
    init() throws {
        folder = try PrivateFolder.temporary(prefix: "chat-test")
        path = "\(folder)/output"
        guard mkfifo(path, 0o600) == 0 else {
            PrivateFolder.remove(folder)
            throw LocalStackError("Cannot make \(path) (errno \(errno))")
        }
        // Without O_NONBLOCK this would wait for somebody who writes.
        descriptor = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
        guard descriptor >= 0 else {
            PrivateFolder.remove(folder)
            throw LocalStackError("Cannot open \(path) (errno \(errno))")
        }
    }

    /// Passes on what comes until all who write have gone; `onLine` gets each whole line. Blocks its thread.
    func relay(_ onLine: (Substring) -> Void) {
        defer { isRead.signal() }
        var chunk = [UInt8](repeating: 0, count: 64 * 1024)
        var unfinished: [UInt8] = []
        while wait() {
            let count = read(descriptor, &chunk, chunk.count)
            guard count != 0 else { return }
            guard count > 0 else {
                if errno == EAGAIN || errno == EINTR { continue }
                return
            }
            try? FileHandle.standardOutput.write(contentsOf: chunk[..<count])
            unfinished += chunk[..<count]
            guard let end = unfinished.lastIndex(of: UInt8(ascii: "\n")) else { continue }
            for line in String(decoding: unfinished[..<end], as: UTF8.self).split(separator: "\n") { onLine(line) }
            unfinished.removeSubrange(...end)
        }
    }

    private func wait() -> Bool {
        var events = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        while poll(&events, 1, -1) < 0 {
            guard errno == EINTR else { return false }
        }
        return true
    }

    /// Waits for the last of the output; not for long, since a process that was left behind may hold the pipe open.
    func finish() {
        _ = isRead.wait(timeout: .now() + 2)
        PrivateFolder.remove(folder)
    }

    deinit { close(descriptor) }
}
