import ChatLocalStack
import Foundation

/// Processor time, user and system together.
enum ProcessorTime {
    /// What a process has used since its start, in seconds, to a hundredth (`proc(5)`, fields 14 and 15 of `stat`).
    /// - Throws: `LocalStackError` if there is no such process.
    static func seconds(ofProcess pid: pid_t) throws -> Double {
        // The second field, the program's name, may hold spaces and brackets.
        guard let text = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8),
            let name = text.lastIndex(of: ")")
        else { throw LocalStackError("There is no process \(pid)") }
        let fields = text[text.index(after: name)...].split(separator: " ")
        guard fields.count > 12, let user = Double(fields[11]), let system = Double(fields[12]) else {
            throw LocalStackError("/proc/\(pid)/stat cannot be read")
        }
        return (user + system) / Double(sysconf(Int32(_SC_CLK_TCK)))
    }

    /// What the calling thread has used, in seconds (`clock_gettime(2)`).
    static func secondsOfThread() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}
