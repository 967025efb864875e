import ChatLocalStack
import Foundation
import Synchronization

/// What some processes held, sampled again and again. Those of one kind are counted together, since clients that come back
/// go to any of them.
final class ProcessSamples: Sendable {
    struct Series: Sendable {
        var name: String
        var processes: Int
        var megabytes: [Double] = []
        var descriptors: [Double] = []
    }

    private let kinds: [[pid_t]]
    private let state: Mutex<[Series]>

    init(_ kinds: [(name: String, pids: [pid_t])]) {
        self.kinds = kinds.map(\.pids)
        state = Mutex(kinds.map { Series(name: $0.name, processes: $0.pids.count) })
    }

    /// - Throws: `LocalStackError` if one of the processes is gone.
    func take() throws {
        let now = try kinds.map { pids in
            (
                megabytes: Double(try pids.reduce(0) { try $0 + ProcessMemory.residentKibibytes(of: $1) }) * 1.024
                    / 1000,
                descriptors: try pids.reduce(0) {
                    try $0 + FileManager.default.contentsOfDirectory(atPath: "/proc/\($1)/fd").count
                }
            )
        }
        state.withLock { series in
            for (index, sample) in now.enumerated() {
                series[index].megabytes.append(sample.megabytes)
                series[index].descriptors.append(Double(sample.descriptors))
            }
        }
    }

    var series: [Series] { state.withLock { $0 } }
}
