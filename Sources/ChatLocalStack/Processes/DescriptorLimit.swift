import Foundation

extension LocalProcess {
    /// The soft limit of open files of the running program (`proc(5)`, `limits`).
    public func descriptorLimit() throws -> Int {
        let text = try String(contentsOfFile: "/proc/\(pid)/limits", encoding: .utf8)
        let line = text.split(separator: "\n").first { $0.hasPrefix("Max open files") }
        guard let line, let limit = line.split(separator: " ").dropFirst(3).first.flatMap({ Int($0) }) else {
            throw LocalStackError("/proc/\(pid)/limits cannot be read")
        }
        return limit
    }

    /// Sets the soft limit of open files of the running program, by `prlimit(1)`. What is open stays open.
    public func setDescriptorLimit(_ limit: Int) async throws {
        // prlimit(2) is hidden from Swift behind _GNU_SOURCE.
        guard let program = ExecutableSearch.inPath("prlimit") else {
            throw LocalStackError("prlimit (package util-linux) is not installed")
        }
        let status = try await LocalProcess(.init(program, ["--pid", String(pid), "--nofile=\(limit):"]))
            .waitForExit()
        guard status == .exited(0) else { throw LocalStackError("prlimit \(status)") }
    }
}
