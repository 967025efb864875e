import CommonUtil
import Glibc
import NIOCore

/// A store in a folder, which all message servers of an installation share.
///
/// A file is at `ab/abcdef…`, by the first two characters of its key. It gets this name when all its bytes are on the disk:
/// by a link from the upload, or from a copy in `tmp` where that is in another file system.
public struct FolderFileStore: FileStore {
    /// Size of the buffers in which files are read.
    static let pieceBytes = 64 * 1_024
    private static let maximumPage = 1_000
    private static let maximumMarkerBytes = 256
    private static let copyBytes = 1_024 * 1_024
    /// Bounds each call, since the folder can be of a network file system.
    private static let callTimeout = Duration.seconds(30)
    /// Bytes a second at which a file is copied at least.
    private static let leastCopyRate = 128 * 1_024

    private let path: String
    private let disk: Disk
    private let synchronizeFolder: @Sendable (String) throws(FileStoreError) -> Void
    /// For uploads alone: copies of large files do not keep downloads waiting.
    private let uploadDisk = Disk(threads: 2)

    /// - Parameter path: of the folder, which is made where it is not there.
    public init(_ path: String, disk: Disk) {
        self.init(path, disk: disk, synchronizeFolder: Folder.synchronize)
    }

    /// - Parameter synchronizeFolder: waits until the entries of a folder are on the disk.
    init(
        _ path: String, disk: Disk,
        synchronizeFolder: @escaping @Sendable (String) throws(FileStoreError) -> Void
    ) {
        self.path = path
        self.disk = disk
        self.synchronizeFolder = synchronizeFolder
    }

    private func run<Value: Sendable>(
        _ call: @escaping @Sendable () throws(FileStoreError) -> Value
    ) async throws(FileStoreError) -> Value {
        try await disk.run(within: Self.callTimeout, call)
    }

    private var temporaryFolder: String { path + "/tmp" }
    private var marker: String { path + "/installation" }
    private func folder(of key: String) -> String { "\(path)/\(key.prefix(2))" }
    private func file(_ key: String) -> String { "\(folder(of: key))/\(key)" }

    /// If a file system is not mounted, its mount point is an empty folder. Nothing may be stored in that, and a file that is
    /// missing in it has not been removed.
    private func requireMarker() throws(FileStoreError) {
        guard access(marker, F_OK) == 0 else { throw .away("its marker is not there") }
    }

    // MARK: Files

    public func put(_ key: String, from source: String, size: Int) async throws(FileStoreError) {
        let limit = Self.callTimeout + .seconds(size / Self.leastCopyRate)
        try await uploadDisk.run(within: limit) { () throws(FileStoreError) in
            try requireMarker()
            try OpenFile(source, O_RDONLY).synchronize()
            let folder = folder(of: key)
            try Folder.make(folder)
            if link(source, file(key)) != 0, errno != EEXIST {
                switch errno {
                case EXDEV, EPERM, ENOTSUP, EMLINK: try copy(source, to: file(key), key)
                default: throw .last("link")
                }
            }
            guard try OpenFile(file(key), O_RDONLY).size == size else { throw .away("a file has another size") }
            try synchronizeFolder(folder)
            try synchronizeFolder(path)
        }
    }

    private func copy(_ source: String, to target: String, _ key: String) throws(FileStoreError) {
        try writeTemporary(key) { temporary throws(FileStoreError) in
            let file = try OpenFile(source, O_RDONLY)
            let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: Self.copyBytes, alignment: 16)
            defer { buffer.deallocate() }
            var offset = 0
            while true {
                let count = try file.read(into: buffer, at: offset)
                guard count > 0 else { return }
                try temporary.write(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
                try temporary.flush(offset..<offset + count)
                offset += count
            }
        } thenLinkTo: {
            target
        }
    }

    /// Writes a file under a temporary name, and gives it its own once it is on the disk. What is there already stays.
    private func writeTemporary(
        _ name: String, _ write: (OpenFile) throws(FileStoreError) -> Void, thenLinkTo target: () -> String
    ) throws(FileStoreError) {
        try Folder.make(temporaryFolder)
        let temporary = "\(temporaryFolder)/\(name).\(UInt64.random(in: .min ... .max))"
        let file = try OpenFile(temporary, O_WRONLY | O_CREAT | O_EXCL)
        defer { unlink(temporary) }
        try write(file)
        try file.synchronize()
        // Some file systems have no links, and no rename(2) that keeps what is there.
        if link(temporary, target()) == 0 || errno == EEXIST { return }
        guard errno == EPERM || errno == ENOTSUP, access(target(), F_OK) != 0 else { throw .last("link") }
        guard rename(temporary, target()) == 0 else { throw .last("rename") }
    }

    public func read(_ key: String, range: Range<Int>) async throws(FileStoreError) -> FileBytes {
        let path = file(key)
        let file = try await run { () throws(FileStoreError) in
            do throws(FileStoreError) {
                let file = try OpenFile(path, O_RDONLY)
                guard try file.size >= range.upperBound else { throw .away("a file is shorter than it was") }
                return file
            } catch {
                if error == .notFound { try requireMarker() }
                throw error
            }
        }
        return FolderFileBytes(file: file, range: range, disk: disk)
    }

    public func remove(_ key: String) async throws(FileStoreError) {
        try await run { () throws(FileStoreError) in
            try requireMarker()
            guard unlink(file(key)) == 0 || errno == ENOENT else { throw .last("unlink") }
            // Otherwise the file can be there again after a power failure, when nothing else knows of it any more. Also
            // where it was not there: an earlier removal may have ended before this.
            do throws(FileStoreError) {
                try synchronizeFolder(folder(of: key))
            } catch {
                guard error == .notFound else { throw error }
            }
        }
    }

    public func size(of key: String) async throws(FileStoreError) -> Int? {
        try await run { () throws(FileStoreError) in try status(of: key)?.size }
    }

    public func list(after key: String?) async throws(FileStoreError) -> [StoredFile] {
        try await run { () throws(FileStoreError) in
            var files: [StoredFile] = []
            let first = key?.prefix(2) ?? ""
            for folder in try Folder.names(path) where folder.utf8.count == 2 && folder >= first {
                for name in try Folder.names("\(path)/\(folder)").drop(while: { !Self.isAfter($0, key) }) {
                    // What others have put there is not this server's to look after.
                    guard FileID(name) != nil, name.hasPrefix(folder) else { continue }
                    // One that another server has removed meanwhile is left out.
                    guard let file = try status(of: name) else { continue }
                    files.append(file)
                    if files.count == Self.maximumPage { return files }
                }
            }
            return files
        }
    }

    private static func isAfter(_ name: String, _ key: String?) -> Bool {
        key.map { $0.utf8.lexicographicallyPrecedes(name.utf8) } ?? true
    }

    private func status(of key: String) throws(FileStoreError) -> StoredFile? {
        var status = stat()
        guard lstat(file(key), &status) == 0 else {
            if errno == ENOENT { return nil }
            throw .last("lstat")
        }
        guard status.st_mode & S_IFMT == S_IFREG else { return nil }
        return StoredFile(
            key: key, size: Int(status.st_size),
            modifiedAt: Timestamp(microseconds: Int64(status.st_mtim.tv_sec) * 1_000_000))
    }

    // MARK: The store as a whole

    public func installation() async throws(FileStoreError) -> String? {
        do {
            return try await run { () throws(FileStoreError) in
                let file = try OpenFile(marker, O_RDONLY)
                var bytes = [UInt8](repeating: 0, count: Self.maximumMarkerBytes)
                let result = bytes.withUnsafeMutableBytes { bytes in
                    Result { () throws(FileStoreError) in try file.read(into: bytes, at: 0) }
                }
                return String(decoding: bytes.prefix(try result.get()).prefix { $0 != 0x0A }, as: UTF8.self)
            }
        } catch .notFound {
            return nil
        }
    }

    public func claim(_ installation: String) async throws(FileStoreError) {
        try await run { () throws(FileStoreError) in
            try Folder.make(path)
            try writeTemporary("installation") { file throws(FileStoreError) in
                let result = (installation + "\n").utf8.map { $0 }.withUnsafeBytes { bytes in
                    Result { () throws(FileStoreError) in try file.write(bytes) }
                }
                try result.get()
            } thenLinkTo: {
                marker
            }
            try synchronizeFolder(path)
        }
    }

    public func abortUnfinished(olderThan age: Duration) async throws(FileStoreError) {
        try await run { () throws(FileStoreError) in
            let limit = Timestamp.now.microseconds - Int64(age / .microseconds(1))
            for name in try Folder.names(temporaryFolder) {
                var status = stat()
                guard lstat("\(temporaryFolder)/\(name)", &status) == 0,
                    Int64(status.st_mtim.tv_sec) * 1_000_000 < limit
                else { continue }
                unlink("\(temporaryFolder)/\(name)")
            }
        }
    }
}

/// The bytes of a file in a folder. The file stays open while it is read, even if it is removed meanwhile.
private struct FolderFileBytes: AsyncSequence, Sendable {
    let file: OpenFile
    let range: Range<Int>
    let disk: Disk

    func makeAsyncIterator() -> Iterator { Iterator(file: file, disk: disk, rest: range) }

    struct Iterator: AsyncIteratorProtocol {
        let file: OpenFile
        let disk: Disk
        var rest: Range<Int>

        mutating func next() async throws -> ByteBuffer? {
            guard !rest.isEmpty else { return nil }
            let (file, offset, count) = (file, rest.lowerBound, Swift.min(rest.count, FolderFileStore.pieceBytes))
            let piece = try await disk.run { () throws(FileStoreError) in
                var buffer = ByteBufferAllocator().buffer(capacity: count)
                let result = buffer.writeWithUnsafeMutableBytesResult(count) { bytes throws(FileStoreError) in
                    try file.read(into: bytes, at: offset)
                }
                guard try result.get() > 0 else { throw .away("a file became shorter while it was read") }
                return buffer
            }
            rest = (offset + piece.readableBytes)..<rest.upperBound
            return piece
        }
    }
}

extension ByteBuffer {
    /// Writes at most `count` bytes with a closure that returns how many it wrote.
    fileprivate mutating func writeWithUnsafeMutableBytesResult(
        _ count: Int, _ body: (UnsafeMutableRawBufferPointer) throws(FileStoreError) -> Int
    ) -> Result<Int, FileStoreError> {
        var result = Result<Int, FileStoreError>.success(0)
        writeWithUnsafeMutableBytes(minimumWritableBytes: count) { bytes in
            result = Result { () throws(FileStoreError) in
                try body(UnsafeMutableRawBufferPointer(rebasing: bytes[..<count]))
            }
            return (try? result.get()) ?? 0
        }
        return result
    }
}
