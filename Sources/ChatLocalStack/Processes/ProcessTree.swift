import Foundation

/// The children of a process, from `/proc` (`proc(5)`, `/proc/pid/task/tid/children`).
public enum ProcessTree {
    /// A process, identified by its number and the time at which it was started: numbers are used again.
    public struct Member: Sendable, Hashable {
        /// The process id.
        public let pid: pid_t
        /// In clock ticks since the machine was started.
        let startTime: UInt64

        /// - Returns: `nil` if there is no such process, or only what is left of one that has ended.
        init?(_ pid: pid_t) {
            guard let stat = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8),
                let nameEnd = stat.lastIndex(of: ")")
            else { return nil }
            // The third field, the state, follows the name in parentheses, which may hold anything.
            let fields = stat[stat.index(after: nameEnd)...].split(separator: " ")
            guard fields.count > 19, fields[0] != "Z", let startTime = UInt64(fields[19]) else { return nil }
            self.pid = pid
            self.startTime = startTime
        }

        var isRunning: Bool { Member(pid) == self }
    }

    /// All processes below `pid`, parents before their children.
    public static func members(below pid: pid_t) -> [Member] { descendants(of: pid).compactMap { Member($0) } }

    /// Waits until they have ended by themselves; after `gracePeriod` those that are left are killed.
    public static func end(_ members: [Member], gracePeriod: Duration) async {
        let deadline = ContinuousClock.now + gracePeriod
        while members.contains(where: \.isRunning), ContinuousClock.now < deadline {
            try? await Task.sleep(for: .milliseconds(100))
        }
        for member in members where member.isRunning { kill(member.pid, SIGKILL) }
    }

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
