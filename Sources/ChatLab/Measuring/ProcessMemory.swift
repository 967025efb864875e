import ChatLocalStack
import Foundation

/// What a process holds in memory (`proc(5)`, `VmRSS` of `status`).
enum ProcessMemory {
    static func residentKibibytes(of pid: pid_t) throws -> Int {
        let status = try String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)
        let line = status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") }
        guard let line, let value = Int(line.filter(\.isNumber)) else {
            throw LocalStackError("/proc/\(pid)/status has no VmRSS")
        }
        return value
    }
}
