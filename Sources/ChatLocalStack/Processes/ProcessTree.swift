import Foundation

/// The children of a process, from `/proc` (`proc(5)`, `/proc/pid/task/tid/children`).
enum ProcessTree {
    /// All processes below `pid`, parents before their children. Stable only while `pid` is stopped, since only a
    /// running parent starts new children or lets the kernel reuse the number of a dead one.
    static func descendants(of pid: pid_t) -> [pid_t] {
        let threads = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/task")) ?? []
        let children = threads.flatMap { thread -> [pid_t] in
            let list = try? String(contentsOfFile: "/proc/\(pid)/task/\(thread)/children", encoding: .utf8)
            return (list ?? "").split(whereSeparator: \.isWhitespace).compactMap { pid_t($0) }
        }
        return children.flatMap { [$0] + descendants(of: $0) }
    }
}
