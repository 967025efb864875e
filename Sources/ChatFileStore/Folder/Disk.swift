import CSyncFileRange
import CommonUtil
import Glibc
import NIOPosix

/// Calls that block on the disk, on threads of their own: none is made on an event loop.
public final class Disk: Sendable {
    private let pool: NIOThreadPool

    /// Starts the threads.
    /// - Parameter threads: calls at once; further ones wait. Each upload and each download has one at a time.
    public init(threads: Int = 4) {
        pool = NIOThreadPool(numberOfThreads: threads)
        pool.start()
    }

    deinit { pool.shutdownGracefully { _ in } }

    /// Runs a call, and gives up on it after a time: a network file system that hangs may keep its thread for good. Runs to
    /// its end even if the task is cancelled.
    /// - Throws: its error; `away` if the time is over.
    public func run<Value: Sendable>(
        within limit: Duration, _ call: @escaping @Sendable () throws(FileStoreError) -> Value
    ) async throws(FileStoreError) -> Value {
        let work = Task {
            await TimeLimit.within(limit) { () -> Result<Value, FileStoreError> in
                do throws(FileStoreError) { return .success(try await self.run(call)) } catch { return .failure(error) }
            }
        }
        guard let result = await work.value else { throw .away("the disk does not respond") }
        return try result.get()
    }

    /// Runs a call some time, without waiting for it; also while the process ends.
    public func submit(_ call: @escaping @Sendable () -> Void) { pool.submit { _ in call() } }

    /// Runs a call.
    /// - Throws: its error; `away` while the process ends.
    public func run<Value: Sendable>(
        _ call: @escaping @Sendable () throws(FileStoreError) -> Value
    ) async throws(FileStoreError) -> Value {
        do {
            return try await pool.runIfActive { try call() }
        } catch let error as FileStoreError {
            throw error
        } catch {
            throw .away("the process ends")
        }
    }
}

extension FileStoreError {
    /// The error of the last call of this thread (`errno(3)`).
    public static func last(_ call: String) -> FileStoreError {
        let code = errno
        return switch code {
        case ENOSPC, EDQUOT: .full
        case ENOENT: .notFound
        default: .away("\(call): \(String(cString: strerror(code)))")
        }
    }
}

/// An open file. It is closed when nobody holds it any more.
public final class OpenFile: Sendable {
    /// Its number, for calls that are not here.
    public let descriptor: CInt

    /// - Parameter flags: of open(2), besides `O_CLOEXEC`.
    public init(_ path: String, _ flags: CInt) throws(FileStoreError) {
        descriptor = open(path, flags | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw .last("open") }
        // `deinit` closes it. The kernel gives the lowest free number, so a high one means that few are left.
        guard Int(descriptor) < Self.highest else {
            // Made by this call.
            if flags & O_EXCL != 0 { unlink(path) }
            throw .away("file descriptors are nearly used up")
        }
    }

    /// Descriptors from this number on are for the rest of the server, which ends if it needs one and there is none.
    private static let highest = (FileDescriptors.limit ?? .max) - 32

    deinit { close(descriptor) }

    /// In bytes.
    public var size: Int {
        get throws(FileStoreError) {
            var status = stat()
            guard fstat(descriptor, &status) == 0 else { throw .last("fstat") }
            return Int(status.st_size)
        }
    }

    /// Writes all bytes at the end of what was written.
    public func write(_ bytes: UnsafeRawBufferPointer) throws(FileStoreError) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = Glibc.write(descriptor, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw .last("write") }
            rest = rest.dropFirst(count)
        }
    }

    /// Reads at a place.
    /// - Returns: the number of bytes; 0 at the end of the file.
    public func read(into bytes: UnsafeMutableRawBufferPointer, at offset: Int) throws(FileStoreError) -> Int {
        while true {
            let count = pread(descriptor, bytes.baseAddress, bytes.count, off_t(offset))
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw .last("read") }
            return count
        }
    }

    /// Has a part that was written go to the disk now (`sync_file_range(2)`), and waits for it.
    ///
    /// Otherwise the kernel collects written data in memory and then writes much of it at once. Everything else on the
    /// disk waits meanwhile, including the commits of PostgreSQL, which does the same with its own data
    /// (`checkpoint_flush_after`). This does not make the file durable, see ``synchronize()``.
    /// - Parameter range: in bytes.
    /// - Throws: an error of the disk. It is reported once: ``synchronize()`` would not meet it any more.
    public func flush(_ range: Range<Int>) throws(FileStoreError) {
        let flags =
            CHAT_SYNC_FILE_RANGE_WAIT_BEFORE | CHAT_SYNC_FILE_RANGE_WRITE | CHAT_SYNC_FILE_RANGE_WAIT_AFTER
        let result = sync_file_range(
            descriptor, Int64(range.lowerBound), Int64(range.count), CUnsignedInt(flags))
        // Some kernels, sandboxes and file systems do not have the call.
        guard result == 0 || [ENOSYS, EINVAL, EOPNOTSUPP].contains(errno) else { throw .last("sync_file_range") }
    }

    /// Waits until what was written is on the disk.
    public func synchronize() throws(FileStoreError) {
        guard fsync(descriptor) == 0 else { throw .last("fsync") }
    }
}

/// Folders and their entries.
public enum Folder {
    /// Makes a folder and those above it, unless they are there.
    public static func make(_ path: String) throws(FileStoreError) {
        if mkdir(path, 0o700) == 0 { return try synchronize(parent(of: path)) }
        switch errno {
        case EEXIST: return
        case ENOENT:
            let parent = Self.parent(of: path)
            guard parent != path else { throw .last("mkdir") }
            try make(parent)
            guard mkdir(path, 0o700) == 0 || errno == EEXIST else { throw .last("mkdir") }
            try synchronize(parent)
        default: throw .last("mkdir")
        }
    }

    /// Waits until the entries of a folder are on the disk.
    public static func synchronize(_ path: String) throws(FileStoreError) {
        try OpenFile(path, O_RDONLY | O_DIRECTORY).synchronize()
    }

    /// The names in a folder, in the order of their bytes; none where the folder is not there.
    public static func names(_ path: String) throws(FileStoreError) -> [String] {
        guard let folder = opendir(path) else {
            if errno == ENOENT { return [] }
            throw .last("opendir")
        }
        defer { closedir(folder) }
        var names: [String] = []
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { name in
                name.withMemoryRebound(to: CChar.self, capacity: MemoryLayout.size(ofValue: name.pointee)) {
                    String(cString: $0)
                }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }

    static func parent(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }
}
