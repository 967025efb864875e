import ChatLocalStack
import Foundation

/// One `chat up` per data folder: an advisory lock (`flock(2)`), which the kernel lets go when the process ends.
final class FolderLock: Sendable {
    private let descriptor: Int32

    /// - Throws: `LocalStackError` if another process has the folder.
    init(_ folder: String) throws {
        let path = "\(folder)/up.lock"
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw LocalStackError("Cannot open \(path) (errno \(errno))") }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            close(descriptor)
            throw LocalStackError("Another `chat up` runs on \(folder). Stop it, or choose another --data-dir.")
        }
    }

    deinit {
        close(descriptor)
    }
}
