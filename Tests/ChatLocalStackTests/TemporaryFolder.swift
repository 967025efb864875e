import ChatLocalStack
import Foundation

/// A folder that goes when the test is done with it.
final class TemporaryFolder {
    let path: String

    init() throws {
        path = try PrivateFolder.temporary(prefix: "chat-test")
    }

    deinit {
        PrivateFolder.remove(path)
    }

    /// Makes a named pipe: its reader sees the end when the last process that holds its other end is gone.
    func fifo(named name: String) throws -> String {
        let path = "\(self.path)/\(name)"
        guard mkfifo(path, 0o600) == 0 else { throw LocalStackError("mkfifo: \(errno)") }
        return path
    }
}

/// Everything written to a named pipe until no writer is left; waits for a first writer.
func readToEnd(of fifo: String) async throws -> String {
    try await withCheckedThrowingContinuation { continuation in
        DispatchQueue.global().async {
            continuation.resume(
                with: Result {
                    guard let pipe = FileHandle(forReadingAtPath: fifo) else {
                        throw LocalStackError("Cannot open \(fifo)")
                    }
                    return String(decoding: try pipe.readToEnd() ?? Data(), as: UTF8.self)
                })
        }
    }
}
