#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// An exclusive lock of a file, held as long as this value is kept. A process that ends, however, lets go of it; from one
/// that stands still it is taken over by a new file in its place.
struct FileLock: ~Copyable {
    private static let takeoverSuffix = ".takeover"

    private let path: String
    private let file: Int32

    /// - Parameters:
    ///   - milliseconds: how long others are waited for.
    ///   - standstill: how long one of them may have it, in milliseconds.
    ///   - onTakeover: called with the lock that was taken over, before it is held: makes what the former holder has begun
    ///     impossible.
    /// - Throws: ``ChatError`` with code `store_failed`.
    init(
        path: String, milliseconds: Int64, standstill: Int64, onTakeover: () throws -> Void
    ) throws {
        let end = System.monotonicClock + milliseconds
        var watched: (holder: Sign, since: Int64)?
        var file = try Self.open(path)
        while true {
            if flock(file, LOCK_EX | LOCK_NB) == 0 {
                if try Self.sign(path)?.inode == Self.sign(file)?.inode { break }
                // Another one is in its place.
                close(file)
                file = try Self.open(path)
                continue
            }
            let code = errno
            let now = System.monotonicClock
            guard code == EWOULDBLOCK || code == EINTR, now < end else {
                close(file)
                throw Self.failure(code)
            }
            if let holder = try Self.sign(path), holder != watched?.holder { watched = (holder, now) }
            if let watched, now - watched.since >= standstill {
                close(file)
                if let taken = try Self.takeOver(path, from: watched.holder) {
                    file = taken
                    do { try onTakeover() } catch {
                        close(file)
                        throw error
                    }
                    break
                }
                file = try Self.open(path)
            }
            // `flock` waits without a limit, so it is polled; on a thread that may block.
            usleep(2000)
        }
        (self.path, self.file) = (path, file)
        // Shows the others that it has another holder now.
        futimens(file, nil)
    }

    /// Whether nobody has taken it over.
    var isHeld: Bool { (try? Self.sign(path)?.inode == Self.sign(file)?.inode) ?? false }

    deinit { close(file) }

    // MARK: The file

    /// Which file it is, and when it was taken.
    private struct Sign: Equatable {
        var inode: UInt64
        var seconds: Int64
        var nanoseconds: Int64

        init(_ status: stat) {
            #if canImport(Darwin)
                let time = status.st_mtimespec
            #else
                let time = status.st_mtim
            #endif
            (inode, seconds, nanoseconds) = (UInt64(status.st_ino), Int64(time.tv_sec), Int64(time.tv_nsec))
        }
    }

    private static func sign(_ path: String) throws -> Sign? {
        var status = stat()
        guard stat(path, &status) == 0 else {
            if errno == ENOENT { return nil }
            throw FileSystem.Failure(call: "stat", code: errno)
        }
        return Sign(status)
    }

    private static func sign(_ file: Int32) throws -> Sign? {
        var status = stat()
        guard fstat(file, &status) == 0 else { throw FileSystem.Failure(call: "fstat", code: errno) }
        return Sign(status)
    }

    private static func open(_ path: String) throws -> Int32 {
        #if canImport(Darwin)
            let file = Darwin.open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        #elseif canImport(Musl)
            let file = Musl.open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        #else
            let file = Glibc.open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        #endif
        guard file >= 0 else { throw FileSystem.Failure(call: "open", code: errno) }
        return file
    }

    /// Puts a new file in its place, which is locked before it is there.
    /// - Returns: the new file; `nil` where somebody else was faster.
    private static func takeOver(_ path: String, from holder: Sign) throws -> Int32? {
        let turn = try open(path + takeoverSuffix)
        defer { close(turn) }
        guard flock(turn, LOCK_EX | LOCK_NB) == 0, try sign(path) == holder else { return nil }
        let new = path + ".new"
        unlink(new)
        let file = try open(new)
        guard flock(file, LOCK_EX | LOCK_NB) == 0, rename(new, path) == 0 else {
            let code = errno
            close(file)
            throw FileSystem.Failure(call: "rename", code: code)
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
