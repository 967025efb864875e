#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// The calls of the file system that a store needs. All block.
enum FileSystem {
    struct Failure: Error, CustomStringConvertible {
        let call: String
        let code: Int32
        var description: String { "\(call): \(String(cString: strerror(code)))" }
        var isMissing: Bool { code == ENOENT || code == ENOTDIR }
    }

    static func makeFolders(_ path: String) throws {
        var made = path.hasPrefix("/") ? "" : "."
        for name in path.split(separator: "/") {
            let parent = made
            made += "/" + name
            guard mkdir(made, 0o700) != 0 else {
                try syncFolder(parent.isEmpty ? "/" : parent)
                continue
            }
            guard errno == EEXIST || errno == EISDIR || errno == EROFS || errno == EACCES else {
                throw Failure(call: "mkdir", code: errno)
            }
        }
        var status = stat()
        guard stat(made, &status) == 0 else { throw Failure(call: "stat", code: errno) }
        guard status.st_mode & S_IFMT == S_IFDIR else { throw Failure(call: "mkdir", code: ENOTDIR) }
    }

    /// The bytes of a file; `nil` if there is none.
    static func read(_ path: String) throws -> [UInt8]? {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else {
            let failure = Failure(call: "open", code: errno)
            if failure.isMissing { return nil }
            throw failure
        }
        defer { close(file) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = chunk.withUnsafeMutableBytes { systemRead(file, $0) }
            if count == 0 { return bytes }
            if count < 0 {
                if errno == EINTR { continue }
                if errno == EISDIR { return nil }
                throw Failure(call: "read", code: errno)
            }
            bytes += chunk[..<count]
        }
    }

    /// Creates a complete new file and puts it in the place of `path`: a reader, also after a crash, finds the old one
    /// or the new one.
    /// - Parameter staged: the path at which it is created, in the same file system.
    static func replace(_ path: String, with bytes: [UInt8], staged: String) throws {
        let file = open(staged, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw Failure(call: "open", code: errno) }
        do {
            defer { close(file) }
            try writeAll(bytes, to: file)
            guard fsync(file) == 0 else { throw Failure(call: "fsync", code: errno) }
            try move(staged, to: path)
        } catch {
            unlink(staged)
            throw error
        }
    }

    static func move(_ path: String, to place: String) throws {
        guard rename(path, place) == 0 else { throw Failure(call: "rename", code: errno) }
    }

    /// Creates a folder in an existing one, if it is missing.
    static func makeFolder(_ path: String) throws {
        guard mkdir(path, 0o700) == 0 || errno == EEXIST else { throw Failure(call: "mkdir", code: errno) }
    }

    static func isThere(_ path: String) -> Bool { access(path, F_OK) == 0 }

    /// Removes a folder with the files in it.
    static func removeFolder(_ path: String) throws {
        for (name, isFolder) in try list(path) where !isFolder { try remove(path + "/" + name) }
        guard rmdir(path) == 0 || errno == ENOENT else { throw Failure(call: "rmdir", code: errno) }
    }

    static func remove(_ path: String) throws {
        guard unlink(path) != 0 else { return }
        let failure = Failure(call: "unlink", code: errno)
        if !failure.isMissing { throw failure }
    }

    static func syncFolder(_ path: String) throws {
        let folder = open(path, O_RDONLY | O_CLOEXEC)
        guard folder >= 0 else { throw Failure(call: "open", code: errno) }
        defer { close(folder) }
        // Some file systems cannot sync a folder, and need not.
        guard fsync(folder) == 0 || errno == EINVAL || errno == EROFS else { throw Failure(call: "fsync", code: errno) }
    }

    /// The names in a folder, and which of them are folders. None if there is no such folder.
    static func list(_ path: String) throws -> [(name: String, isFolder: Bool)] {
        guard let folder = opendir(path) else {
            let failure = Failure(call: "opendir", code: errno)
            if failure.isMissing { return [] }
            throw failure
        }
        defer { closedir(folder) }
        var names: [(name: String, isFolder: Bool)] = []
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            guard name != ".", name != ".." else { continue }
            switch Int32(entry.pointee.d_type) {
            case Int32(DT_DIR): names.append((name, true))
            case Int32(DT_REG): names.append((name, false))
            default:
                // Not every file system returns the type here.
                var status = stat()
                guard stat(path + "/" + name, &status) == 0 else { continue }
                names.append((name, status.st_mode & S_IFMT == S_IFDIR))
            }
        }
        return names
    }

    private static func writeAll(_ bytes: [UInt8], to file: Int32) throws {
        try bytes.withUnsafeBytes { bytes in
            var written = 0
            while written < bytes.count {
                let count = systemWrite(file, UnsafeRawBufferPointer(rebasing: bytes[written...]))
                if count < 0 {
                    if errno == EINTR { continue }
                    throw Failure(call: "write", code: errno)
                }
                written += count
            }
        }
    }
}

private func systemRead(_ file: Int32, _ bytes: UnsafeMutableRawBufferPointer) -> Int {
    read(file, bytes.baseAddress, bytes.count)
}

private func systemWrite(_ file: Int32, _ bytes: UnsafeRawBufferPointer) -> Int {
    write(file, bytes.baseAddress, bytes.count)
}
