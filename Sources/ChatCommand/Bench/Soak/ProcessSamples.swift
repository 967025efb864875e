import ChatLocalStack
import Foundation
import Synchronization

/// What some processes held, sampled again and again.
final class ProcessSamples: Sendable {
    struct Series: Sendable {
        var name: String
        var megabytes: [Double] = []
        var descriptors: [Double] = []
    }

    private let pids: [pid_t]
    private let state: Mutex<[Series]>

    init(_ processes: [(name: String, pid: pid_t)]) {
        pids = processes.map(\.pid)
        state = Mutex(processes.map { Series(name: $0.name) })
    }

    /// - Throws: `LocalStackError` if one of the processes is gone.
    func take() throws {
        let now = try pids.map { pid in
            (
                Double(try ProcessMemory.residentKibibytes(of: pid)) * 1.024 / 1000,
                Double(try FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/fd").count)
            )
        }
        state.withLock { series in
            for (index, sample) in now.enumerated() {
                series[index].megabytes.append(sample.0)
                series[index].descriptors.append(sample.1)
            }
        }
    }

    var series: [Series] { state.withLock { $0 } }
}
