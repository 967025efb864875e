import Foundation

/// Folders and files that hold private data: secrets are 0600 from their first byte.
public enum PrivateFolder {
    /// Makes a new empty folder for throw-away engines and servers under the system's temporary folder. Its mode is
    /// 0711, so that another user (PostgreSQL refuses to be root) can pass through it to a folder of its own.
    public static func temporary(prefix: String = "chat") throws -> String {
        let base = FileManager.default.temporaryDirectory.path
        let path = "\(base)/\(prefix)-\(UUID().uuidString.prefix(8).lowercased())"
        try create(path, mode: 0o711)
        return path
    }

    /// Makes the folder, and those above it, if they are not there; sets the mode of a folder it made.
    public static func create(_ path: String, mode: Int) throws {
        guard !FileManager.default.fileExists(atPath: path) else { return }
        do {
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: mode])
            // The attributes above went through the process's umask.
            try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
        } catch {
            throw LocalStackError("Cannot make the folder \(path): \(error.localizedDescription)")
        }
    }

    /// Removes the folder and all in it; a folder that is not there is no error.
    public static func remove(_ path: String) {
        try? FileManager.default.removeItem(atPath: path)
    }

    /// Writes `text` into a new file that only its owner may read.
    static func writeSecret(_ text: String, to path: String) throws {
        unlink(path)
        let file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw LocalStackError.systemCall("open \(path)", errno: errno) }
        let handle = FileHandle(fileDescriptor: file, closeOnDealloc: true)
        try handle.write(contentsOf: Data(text.utf8))
    }

    /// The password kept in `password` in this folder, made on first use.
    static func keptPassword(in folder: String) throws -> String {
        if let kept = existingPassword(in: folder) { return kept }
        let password = generatedPassword()
        try writeSecret(password, to: passwordFile(in: folder))
        return password
    }

    /// The password that is kept in a folder; `nil` if there is none, or it belongs to another user.
    static func existingPassword(in folder: String) -> String? {
        guard let kept = try? String(contentsOfFile: passwordFile(in: folder), encoding: .utf8), !kept.isEmpty else {
            return nil
        }
        return kept
    }

    private static func passwordFile(in folder: String) -> String { "\(folder)/password" }

    /// A fresh password: 128 random bits, as hexadecimal digits, which need no quoting in SQL, URLs or shells.
    private static func generatedPassword() -> String {
        var generator = SystemRandomNumberGenerator()
        return (0..<2).map { _ in
            let digits = String(generator.next(), radix: 16)
            return String(repeating: "0", count: 16 - digits.count) + digits
        }.joined()
    }
}

/// The last lines of a text file, for error messages.
public enum TextTail {
    /// The last `count` lines of the file at `path`, reading at most its last 64 KiB; empty if there is no such file.
    public static func lines(_ count: Int, of path: String) -> [String] {
        guard let file = FileHandle(forReadingAtPath: path) else { return [] }
        defer { try? file.close() }
        let window: UInt64 = 64 * 1024
        guard let end = try? file.seekToEnd() else { return [] }
        guard (try? file.seek(toOffset: end > window ? end - window : 0)) != nil,
            let data = try? file.readToEnd()
        else { return [] }
        return String(decoding: data, as: UTF8.self)
            .split(separator: "\n", omittingEmptySubsequences: true)
            .suffix(count)
            .map(String.init)
    }
}
