#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// An exclusive lock on a file, held for the lifetime of this value. It is released when the process ends. If the
/// holder is suspended for too long, another process takes the lock over by putting a new file in the place of the
/// locked one.
struct FileLock: ~Copyable {
    private static let takeoverSuffix = ".takeover"

    private let path: String
    private let file: OpenDescriptor

    /// - Parameters:
    ///   - milliseconds: maximum time to wait for other holders. See ``LockWait``.
    ///   - suspensionTimeout: time after which one holder counts as suspended, in milliseconds.
    ///   - onTakeover: called after the lock was taken over and before it counts as held, to undo what the former
    ///     holder has begun.
    /// - Throws: ``ChatError`` with code `store_failed`.
    init(
        path: String, milliseconds: Int64, suspensionTimeout: Int64, onTakeover: () throws -> Void
    ) throws {
        var wait = LockWait<FileIdentity>(
            now: System.monotonicClock, milliseconds: milliseconds, suspensionTimeout: suspensionTimeout)
        var file = try OpenDescriptor(path)
        polling: while true {
            if try Self.tryLock(file) {
                if try Self.isInPlace(file, path) { break polling }
                file = try OpenDescriptor(path)
                continue
            }
            switch wait.next(now: System.monotonicClock, holder: try FileIdentity.of(path)) {
            case .wait: break
            case .giveUp: throw Self.failure(EWOULDBLOCK)
            case .takeOver(let holder):
                if let taken = try Self.takeOver(path, from: holder) {
                    file = taken
                    try onTakeover()
                    break polling
                }
                file = try OpenDescriptor(path)
            }
            // `flock` waits without a limit, so it is polled; this thread may block.
            usleep(2000)
        }
        // Shows the others that the lock has another holder now.
        futimens(file.number, nil)
        self.path = path
        self.file = file
    }

    /// Whether no other process has taken the lock over.
    var isHeld: Bool { (try? Self.isInPlace(file, path)) ?? false }

    // MARK: Locking

    /// - Returns: `false` if another process holds the lock.
    private static func tryLock(_ file: borrowing OpenDescriptor) throws -> Bool {
        guard flock(file.number, LOCK_EX | LOCK_NB) != 0 else { return true }
        let code = errno
        guard code == EWOULDBLOCK || code == EINTR else { throw failure(code) }
        return false
    }

    /// Whether an open file is still the one at `path`, and not replaced by a takeover.
    private static func isInPlace(_ file: borrowing OpenDescriptor, _ path: String) throws -> Bool {
        try FileIdentity.of(path)?.inode == FileIdentity.of(file).inode
    }

    /// Puts a new file in the place of the locked one. The new one is locked before it is there.
    /// - Returns: the new file; `nil` if another process was faster.
    private static func takeOver(_ path: String, from holder: FileIdentity) throws -> OpenDescriptor? {
        let takeover = try OpenDescriptor(path + takeoverSuffix)
        guard flock(takeover.number, LOCK_EX | LOCK_NB) == 0, try FileIdentity.of(path) == holder else { return nil }
        let new = path + ".new"
        unlink(new)
        let file = try OpenDescriptor(new)
        guard flock(file.number, LOCK_EX | LOCK_NB) == 0, rename(new, path) == 0 else {
            throw FileSystem.Failure(call: "rename", code: errno)
        }
        return file
    }

    private static func failure(_ code: Int32) -> any Error {
        switch code {
        case EWOULDBLOCK, EINTR:
            ChatError(.storeFailed, "Another process has held the store's lock for too long", isTemporary: true)
        case ENOLCK, EOPNOTSUPP, ENOTSUP, ENOSYS, EINVAL:
            ChatError(.storeFailed, "The file system has no locks (\(String(cString: strerror(code))))")
        default: FileSystem.Failure(call: "flock", code: code)
        }
    }
}

/// The inode of a lock file, and the time when the lock was acquired.
private struct FileIdentity: Equatable {
    let inode: UInt64
    private let seconds: Int64
    private let nanoseconds: Int64

    private init(_ status: stat) {
        #if canImport(Darwin)
            let time = status.st_mtimespec
        #else
            let time = status.st_mtim
        #endif
        (inode, seconds, nanoseconds) = (UInt64(status.st_ino), Int64(time.tv_sec), Int64(time.tv_nsec))
    }

    /// - Returns: `nil` if there is no such file.
    static func of(_ path: String) throws -> FileIdentity? {
        var status = stat()
        guard stat(path, &status) == 0 else {
            if errno == ENOENT { return nil }
            throw FileSystem.Failure(call: "stat", code: errno)
        }
        return FileIdentity(status)
    }

    static func of(_ file: borrowing OpenDescriptor) throws -> FileIdentity {
        var status = stat()
        guard fstat(file.number, &status) == 0 else { throw FileSystem.Failure(call: "fstat", code: errno) }
        return FileIdentity(status)
    }
}

/// A file that is open for reading and writing, until the end of this value.
private struct OpenDescriptor: ~Copyable {
    let number: Int32

    /// Opens a file, which is created if it is missing.
    init(_ path: String) throws {
        number = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard number >= 0 else { throw FileSystem.Failure(call: "open", code: errno) }
    }

    deinit { close(number) }
}
