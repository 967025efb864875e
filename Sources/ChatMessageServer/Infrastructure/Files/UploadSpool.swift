import ChatFileStore
import Glibc
import NIOCore
import Synchronization

/// The folder in which uploads are collected before they go to the store. All uploads of a process share a number of bytes.
///
/// Several servers can share a data folder, so each has a folder of its own below it, with a locked file beside it. The
/// kernel gives the lock back when a process ends in whatever way, and the next server removes the folder.
final class UploadSpool: Sendable {
    private let root: String
    private let disk: Disk
    fileprivate let share: DiskShare
    private let budget: Mutex<SpoolBudget>
    private let onChange: @Sendable (Int) -> Void
    /// Held while the folder is made, which is I/O.
    private let lock = Mutex<OpenFile?>(nil)
    private let hasFolder = Atomic(false)
    /// The folder of this process.
    private let folder: String

    /// - Parameters:
    ///   - root: the folder of all servers.
    ///   - capacity: of all uploads in progress, in bytes.
    ///   - share: decides how long the disk is left to others after each write.
    ///   - onChange: called with the number of reserved bytes whenever it changes; must not block.
    init(
        _ root: String, capacity: Int, disk: Disk, share: DiskShare = DiskShare(),
        onChange: @escaping @Sendable (Int) -> Void = { _ in }
    ) {
        self.root = root
        self.disk = disk
        self.share = share
        self.onChange = onChange
        budget = Mutex(SpoolBudget(capacity: capacity))
        folder = "\(root)/\(UInt64.random(in: .min ... .max))"
    }

    /// The bytes that all uploads in progress take or have reserved.
    var reserved: Int { budget.withLock(\.reserved) }

    /// Whether there is a folder of this process. Waits for no I/O.
    var isPrepared: Bool { hasFolder.load(ordering: .relaxed) }

    /// Makes the folder of this process, unless it is there, and removes those of processes that have ended. May be repeated:
    /// a folder that somebody has removed is made again.
    func prepare() async throws(FileStoreError) {
        try await disk.run { () throws(FileStoreError) in
            // One at a time; none of the threads is an event loop's.
            try self.lock.withLock { lock throws(FileStoreError) in
                defer { self.hasFolder.store(lock != nil, ordering: .relaxed) }
                try self.prepare(&lock)
            }
        }
    }

    private func prepare(_ lock: inout OpenFile?) throws(FileStoreError) {
        let lockPath = folder + Self.lockSuffix
        if let lock, Self.isNamed(lock, lockPath), access(folder, W_OK) == 0 { return }
        // Gives the lock back, which would keep this process from taking it again.
        lock = nil
        try Folder.make(root)
        let taken = try Self.lockFile(lockPath)
        try Folder.make(folder)
        lock = taken
        for name in try Folder.names(root) where name.hasSuffix(Self.lockSuffix) {
            removeLeftovers("\(root)/\(name)")
        }
    }

    private static let lockSuffix = ".lock"

    /// Makes and locks a file. Another server can remove it before it is locked; then it is made once more.
    private static func lockFile(_ path: String) throws(FileStoreError) -> OpenFile {
        while true {
            let file = try OpenFile(path, O_RDWR | O_CREAT)
            guard flock(file.descriptor, LOCK_EX) == 0 else { throw .last("flock") }
            if isNamed(file, path) { return file }
        }
    }

    /// Whether a path still leads to an open file.
    private static func isNamed(_ file: OpenFile, _ path: String) -> Bool {
        var (own, named) = (stat(), stat())
        return fstat(file.descriptor, &own) == 0 && stat(path, &named) == 0 && own.st_ino == named.st_ino
    }

    /// Removes the folder beside a lock that no process holds.
    private func removeLeftovers(_ lockPath: String) {
        guard let file = try? OpenFile(lockPath, O_RDWR), flock(file.descriptor, LOCK_EX | LOCK_NB) == 0 else { return }
        let folder = String(lockPath.dropLast(Self.lockSuffix.utf8.count))
        for name in (try? Folder.names(folder)) ?? [] { unlink("\(folder)/\(name)") }
        rmdir(folder)
        unlink(lockPath)
    }

    /// Begins a file. Bytes are reserved as they arrive, so a size that is only announced takes no space from other
    /// uploads.
    /// - Parameter size: the announced size in bytes, if it is known.
    /// - Throws: `full` if fewer bytes are left right now.
    func begin(size: Int?) async throws(FileStoreError) -> SpooledFile {
        guard budget.withLock({ $0.hasLeft(size ?? 0) }) else { throw .full }
        let path = "\(folder)/\(UInt64.random(in: .min ... .max))"
        let file: OpenFile
        do {
            file = try await create(path)
        } catch .notFound {
            // The folder could not be made yet, or somebody has removed it.
            try await prepare()
            file = try await create(path)
        }
        return SpooledFile(path: path, file: file, announced: size, spool: self)
    }

    private func create(_ path: String) async throws(FileStoreError) -> OpenFile {
        try await disk.run { () throws(FileStoreError) in try OpenFile(path, O_WRONLY | O_CREAT | O_EXCL) }
    }

    fileprivate func reserve(_ bytes: Int) -> Bool {
        budget.withLock { budget in
            guard budget.reserve(bytes) else { return false }
            onChange(budget.reserved)
            return true
        }
    }

    fileprivate func release(_ bytes: Int) {
        budget.withLock { budget in
            budget.release(bytes)
            onChange(budget.reserved)
        }
    }

    /// Removes the file of an upload, some time, and gives its bytes back then. Freeing a large file takes a while.
    fileprivate func remove(_ path: String, _ file: OpenFile, releasing bytes: Int) {
        disk.submit {
            withExtendedLifetime(file) { _ = unlink(path) }
            self.release(bytes)
        }
    }

    fileprivate func run(_ call: @escaping @Sendable () throws(FileStoreError) -> Void) async throws(FileStoreError) {
        try await disk.run(call)
    }
}

/// An upload on the disk. It is removed, and its bytes given back, when nobody holds it any more.
final class SpooledFile: Sendable {
    /// Bytes that are reserved in one step, or what is left of the announced size.
    private static let step = 256 * 1_024
    /// Bytes that go to the disk at once.
    private static let flushBytes = 256 * 1_024

    let path: String
    private let file: OpenFile
    private let announced: Int?
    private let spool: UploadSpool
    private struct Sizes {
        var written = 0
        var reserved = 0
        /// The part of what was written that has gone to the disk.
        var flushed = 0
    }
    private let sizes = Mutex(Sizes())

    fileprivate init(path: String, file: OpenFile, announced: Int?, spool: UploadSpool) {
        self.path = path
        self.file = file
        self.announced = announced
        self.spool = spool
    }

    deinit { spool.remove(path, file, releasing: sizes.withLock(\.reserved)) }

    /// In bytes.
    var size: Int { sizes.withLock(\.written) }

    /// Appends a piece. One piece at a time.
    /// - Throws: `full` if the spool or the disk is.
    func append(_ piece: ByteBuffer) async throws(FileStoreError) {
        let (written, flushed) = sizes.withLock { ($0.written, $0.flushed) }
        let (file, share) = (file, spool.share)
        let end = written + piece.readableBytes
        try reserve(upTo: end)
        let unflushed = flushed..<end
        let isFlushed = unflushed.count >= Self.flushBytes
        try await spool.run { () throws(FileStoreError) in
            let result = piece.withUnsafeReadableBytes { bytes in
                Result { () throws(FileStoreError) in try file.write(bytes) }
            }
            try result.get()
            if isFlushed { try Self.flush(unflushed, of: file, share) }
        }
        sizes.withLock {
            $0.written = end
            if isFlushed { $0.flushed = end }
        }
    }

    private func reserve(upTo end: Int) throws(FileStoreError) {
        let reserved = sizes.withLock(\.reserved)
        let missing = end - reserved
        guard missing > 0 else { return }
        let step = max(missing, min(Self.step, announced.map { $0 - reserved } ?? Self.step))
        // The last piece of a chunked body may fit although a whole step does not.
        guard let taken = [step, missing].first(where: spool.reserve) else { throw .full }
        sizes.withLock { $0.reserved += taken }
    }

    /// Sends a part to the disk, and leaves the disk to others. The spool's only thread sleeps, so that no other upload writes
    /// meanwhile.
    private static func flush(_ range: Range<Int>, of file: OpenFile, _ share: DiskShare) throws(FileStoreError) {
        let start = ContinuousClock.now
        try file.flush(range)
        usleep(CUnsignedInt(share.pause(after: .now - start) / .microseconds(1)))
    }
}

/// The bytes that uploads in progress share. Pure: no I/O.
struct SpoolBudget {
    let capacity: Int
    private(set) var reserved = 0

    init(capacity: Int) { self.capacity = capacity }

    /// Whether so many bytes are left.
    func hasLeft(_ bytes: Int) -> Bool { bytes <= capacity - reserved }

    /// - Returns: `false` if so many are not left; then nothing is reserved.
    mutating func reserve(_ bytes: Int) -> Bool {
        guard hasLeft(bytes) else { return false }
        reserved += bytes
        return true
    }

    mutating func release(_ bytes: Int) { reserved -= bytes }
}
