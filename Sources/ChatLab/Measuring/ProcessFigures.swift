import ChatLocalStack
import Foundation

/// Processor time, user and system together.
enum ProcessorTime {
    /// The time used by a process since its start, in seconds, in steps of a hundredth (`proc(5)`, fields 14 and 15 of `stat`).
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

    /// The time used by a process and by each below it, as far as they have not ended.
    static func secondsOfEach(inTree pid: pid_t) -> [pid_t: Double] {
        ([pid] + ProcessTree.members(below: pid).map(\.pid)).reduce(into: [:]) { times, pid in
            times[pid] = try? seconds(ofProcess: pid)
        }
    }

    /// The time used by the calling thread, in seconds (`clock_gettime(2)`).
    static func secondsOfThread() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}

/// The resident memory of a process (`proc(5)`, `VmRSS` of `status`).
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

extension LocalServer {
    /// - Throws: `LocalStackError` if it does not run.
    var pid: pid_t {
        get throws {
            guard let running else { throw LocalStackError("\(kind.rawValue) is gone") }
            return running.pid
        }
    }
}
