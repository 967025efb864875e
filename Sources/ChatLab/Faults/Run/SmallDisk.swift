import ChatLocalStack
import Foundation

/// A small disk that can be filled: a `tmpfs(5)` mounted on a folder. Only root may mount one.
struct SmallDisk: Sendable {
    /// The existing folder on which it is mounted.
    let path: String

    private var filler: String { "\(path)/filler" }

    /// The reason why such a disk cannot be mounted on this machine; nil if it can.
    static func obstacle() async -> String? {
        guard geteuid() == 0 else { return "only root may mount a small disk (tmpfs)" }
        guard let folder = try? PrivateFolder.temporary(prefix: "chat-disk") else { return "no temporary folder" }
        defer { PrivateFolder.remove(folder) }
        let disk = SmallDisk(path: folder)
        do {
            try await disk.mount()
            try await disk.unmount()
            return nil
        } catch {
            return "a small disk (tmpfs) cannot be mounted here: \(error)"
        }
    }

    func mount() async throws {
        try await run("mount", "-t", "tmpfs", "-o", "size=256m,mode=0711", "tmpfs", path)
    }

    func unmount() async throws { try await run("umount", path) }

    /// Fills the disk completely.
    func fill() throws {
        let file = open(filler, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        guard file >= 0 else { throw LocalStackError("Cannot write \(filler)") }
        defer { close(file) }
        let bytes = [UInt8](repeating: 1, count: 4_096)
        while write(file, bytes, bytes.count) > 0 {}
        guard errno == ENOSPC else { throw LocalStackError("\(path) cannot be filled: error \(errno)") }
    }

    func free() throws {
        guard unlink(filler) == 0 else { throw LocalStackError("Cannot remove \(filler)") }
    }

    private func run(_ name: String, _ arguments: String...) async throws {
        guard let program = ExecutableSearch.inPath(name) else { throw LocalStackError("\(name) is not installed") }
        let status = try await LocalProcess(.init(program, arguments)).waitForExit()
        guard status == .exited(0) else { throw LocalStackError("\(name) \(status)") }
    }
}
