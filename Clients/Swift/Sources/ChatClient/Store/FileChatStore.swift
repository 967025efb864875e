import NIOConcurrencyHelpers
import NIOPosix

/// A store of files, one a key, in folders of mode 0700, files 0600.
///
/// A step holds `flock` on a file in the folder, never over a suspension. A value is replaced by a new file (fsync,
/// rename); more than one are first written to a journal, which the next step finishes if the process died in between.
///
/// If a process is suspended within a step, the next process takes over its lock. When the suspended process continues,
/// its changes have no effect: each is a rename from or to a folder of its own, which is removed together with the
/// lock.
public final class FileChatStore: ChatStore {
    /// Maximum time to wait for the lock, in milliseconds.
    private static let lockTimeoutMilliseconds: Int64 = 10_000
    /// Time after which a process that holds the lock counts as suspended, in milliseconds.
    private static let suspensionTimeoutMilliseconds: Int64 = 3000
    /// Maximum number of attempts of a step whose lock is taken over.
    private static let maximumAttempts = 5

    /// Maximum length of the encoded name of a file, without its endings.
    private static let maximumName = 249
    private static let continued = "+/"

    private struct LockLost: Error {}

    private let folder: String
    /// The folder of new files before they are renamed to their places, with a folder for each open store.
    private let stages: String
    private let stage: String
    private let stale: String
    private let suspensionTimeout: Int64
    /// Makes the threads of this process wait here, so that they do not poll for the file lock.
    private let threads = NIOLock()

    /// Opens a store, which is created if it is missing.
    /// - Throws: ``ChatError`` with code `store_failed` if the folder cannot be created or its file system has no
    ///   locks.
    public convenience init(folder: String) throws {
        try self.init(folder: folder, suspensionTimeout: Self.suspensionTimeoutMilliseconds)
    }

    /// - Parameter suspensionTimeout: maximum time of a step of another process, in milliseconds.
    init(folder: String, suspensionTimeout: Int64) throws {
        var folder = folder
        while folder.count > 1, folder.hasSuffix("/") { folder.removeLast() }
        self.folder = folder
        self.suspensionTimeout = suspensionTimeout
        (stages, stale) = (folder + "/stages", folder + "/stale")
        stage = stages + "/" + String(UInt64.random(in: 0...UInt64.max), radix: 36)
        try Self.reporting {
            try FileSystem.makeFolders(folder)
            try FileSystem.makeFolders(folder + "/values")
            try FileSystem.makeFolders(stages)
            try FileSystem.makeFolders(stale)
            let lock = try lock()
            // A process that is not in a step creates its folder again.
            try removeStages()
            _ = consume lock
        }
    }

    /// `true`.
    public var isLasting: Bool { true }

    /// One step under the lock of the folder, on a thread that may block.
    public func step<Result: Sendable>(
        _ body: @escaping @Sendable (inout ChatStoreStep) throws -> Result
    ) async throws -> Result {
        // A file system may block for seconds, so not on the threads of Swift's tasks.
        try await NIOThreadPool.singleton.runIfActive { [self] in
            try threads.withLock {
                try Self.reporting {
                    for _ in 1..<Self.maximumAttempts {
                        do { return try perform(body) } catch is LockLost {}
                    }
                    do { return try perform(body) } catch is LockLost {
                        throw ChatError(.storeFailed, "Other processes take the store's lock over", isTemporary: true)
                    }
                }
            }
        }
    }

    private func lock() throws -> FileLock {
        try FileLock(
            path: folder + "/lock", milliseconds: Self.lockTimeoutMilliseconds, suspensionTimeout: suspensionTimeout,
            onTakeover: removeStages)
    }

    /// Moves each folder away first, so that from one moment on no file in it can be renamed to its place.
    private func removeStages() throws {
        for (name, isFolder) in try FileSystem.list(stages) where isFolder && !stage.hasSuffix("/" + name) {
            try FileSystem.move(stages + "/" + name, to: stale + "/" + name)
        }
        for (name, _) in try FileSystem.list(stale) { try? FileSystem.removeFolder(stale + "/" + name) }
    }

    /// - Throws: ``LockLost`` if another process has taken the lock over, and nothing was changed.
    private func perform<Result>(_ body: (inout ChatStoreStep) throws -> Result) throws -> Result {
        let lock = try lock()
        try FileSystem.makeFolder(stage)
        // A process that takes the lock over from here on removes the folder.
        guard lock.isHeld else { throw LockLost() }
        do {
            return try perform(body, lock)
        } catch let failure as FileSystem.Failure where failure.isMissing && !lock.isHeld {
            throw LockLost()
        }
    }

    private func perform<Result>(
        _ body: (inout ChatStoreStep) throws -> Result, _ lock: borrowing FileLock
    ) throws -> Result {
        try finishJournal()
        var step = ChatStoreStep { [self] in
            try FileSystem.read(path($0))
        } list: { [self] in
            try keys(withPrefix: $0)
        }
        let result = try body(&step)
        // If the lock was taken over, some of the values that were read may be newer than others.
        guard lock.isHeld else { throw LockLost() }
        switch step.changes.count {
        case 0: break
        case 1: try apply(step.changes)
        default:
            try FileSystem.replace(journalPath, with: Journal.encode(step.changes), staged: stage + "/journal")
            try FileSystem.syncFolder(folder)
            do {
                try finishJournal(step.changes)
            } catch let failure as FileSystem.Failure where failure.isMissing && !lock.isHeld {
                // The process that has the lock now has found the journal, and finished it.
            }
        }
        return result
    }

    // MARK: Changes

    private var journalPath: String { folder + "/journal" }

    /// Applies the changes of a step whose process died before it had applied all of them itself.
    private func finishJournal() throws {
        guard let bytes = try FileSystem.read(journalPath) else { return }
        guard let changes = Journal.decode(bytes) else {
            // It cannot be read, so none of its changes is known. It is kept for a manual repair.
            try FileSystem.move(journalPath, to: stage + "/journal")
            return try FileSystem.move(stage + "/journal", to: folder + "/journal.broken")
        }
        try finishJournal(changes)
    }

    private func finishJournal(_ changes: [String: [UInt8]?]) throws {
        try apply(changes)
        try remove(journalPath)
    }

    /// Removes a file by a rename, which fails once the lock was taken over.
    private func remove(_ path: String) throws {
        do {
            try FileSystem.move(path, to: stage + "/removed")
        } catch let failure as FileSystem.Failure where failure.isMissing {
            // A missing file need not be removed.
            guard FileSystem.isThere(stage) else { throw failure }
        }
    }

    private func apply(_ changes: [String: [UInt8]?]) throws {
        var folders: Set<String> = []
        for (key, value) in changes {
            let path = path(key)
            let parent = path[..<(path.lastIndex(of: "/") ?? path.startIndex)]
            if let value {
                do {
                    try FileSystem.replace(path, with: value, staged: stage + "/value")
                } catch let failure as FileSystem.Failure where failure.isMissing {
                    try FileSystem.makeFolders(String(parent))
                    try FileSystem.replace(path, with: value, staged: stage + "/value")
                }
                folders.insert(String(parent))
            } else {
                try remove(path)
            }
        }
        for folder in folders { try FileSystem.syncFolder(folder) }
    }

    // MARK: Keys

    /// The last name of a key has an ending that no folder has, so a key may also be the beginning of another.
    private func path(_ key: String) -> String { folder + "/values/" + Self.encodedPath(key) + ".value" }

    private func keys(withPrefix prefix: String) throws -> [String] {
        let start = prefix.lastIndex(of: "/").map { Self.encodedPath(String(prefix[..<$0])) } ?? ""
        var found: [String] = []
        var pending = [start]
        while let path = pending.popLast() {
            for (name, isFolder) in try FileSystem.list(folder + "/values" + (path.isEmpty ? "" : "/" + path)) {
                let whole = path.isEmpty ? name : path + "/" + name
                if isFolder {
                    pending.append(whole)
                } else if whole.hasSuffix(".value"), let key = Self.key(ofPath: whole.dropLast(6)),
                    key.hasPrefix(prefix)
                {
                    found.append(key)
                }
            }
        }
        return found
    }

    /// File systems limit the length of a name, so a long one is continued in a folder whose name has an ending that no
    /// encoded name has.
    private static func encodedPath(_ key: String) -> String {
        key.split(separator: "/", omittingEmptySubsequences: false).map { name in
            var rest = encode(name)[...]
            var text = ""
            while rest.utf8.count > maximumName {
                text += rest.prefix(maximumName) + continued
                rest = rest.dropFirst(maximumName)
            }
            return text + rest
        }.joined(separator: "/")
    }

    private static func key(ofPath path: Substring) -> String? {
        let names = path.replacing(continued, with: "").split(separator: "/", omittingEmptySubsequences: false)
        let decoded = names.compactMap(\.percentDecoded)
        return decoded.count == names.count ? decoded.joined(separator: "/") : nil
    }

    /// Capital letters are encoded, too, since some file systems do not tell them from small ones.
    private static func encode(_ name: Substring) -> String {
        var text = ""
        for byte in name.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"),
                UInt8(ascii: "_"):
                text.unicodeScalars.append(Unicode.Scalar(byte))
            default:
                text += "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
            }
        }
        return text
    }

    private static func reporting<Result>(_ body: () throws -> Result) throws -> Result {
        do {
            return try body()
        } catch let failure as FileSystem.Failure {
            throw ChatError(.storeFailed, "The store failed (\(failure))", isTemporary: true, cause: failure)
        }
    }
}

/// The form of several changes in one file.
enum Journal {
    static func encode(_ changes: [String: [UInt8]?]) -> [UInt8] {
        var bytes: [UInt8] = []
        func append(_ part: [UInt8]) {
            bytes += (0..<8).map { UInt8(truncatingIfNeeded: part.count >> (8 * $0)) }
            bytes += part
        }
        for (key, value) in changes {
            append(Array(key.utf8))
            append(value.map { [1] + $0 } ?? [])
        }
        return bytes
    }

    static func decode(_ bytes: [UInt8]) -> [String: [UInt8]?]? {
        var rest = bytes[...]
        func part() -> ArraySlice<UInt8>? {
            guard rest.count >= 8 else { return nil }
            let length = rest.prefix(8).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            rest = rest.dropFirst(8)
            guard length <= UInt64(rest.count) else { return nil }
            defer { rest = rest.dropFirst(Int(length)) }
            return rest.prefix(Int(length))
        }
        var changes: [String: [UInt8]?] = [:]
        while !rest.isEmpty {
            guard let key = part(), let value = part() else { return nil }
            changes[String(decoding: key, as: UTF8.self)] = .some(value.isEmpty ? nil : Array(value.dropFirst()))
        }
        return changes
    }
}
