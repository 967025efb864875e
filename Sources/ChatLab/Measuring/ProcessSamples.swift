import ChatLocalStack
import Foundation
import Synchronization

/// Repeated samples of the memory and the descriptors of processes. Those of one kind are added up, since clients that
/// reconnect go to any of them.
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

/// The growth of a figure that was sampled at even intervals: the median of the last third of the samples compared with
/// that of the first third, so that a short peak does not matter.
struct GrowthCheck: Equatable, Sendable {
    let first: Spread
    let last: Spread

    /// - Parameter samples: those after the warm-up.
    /// - Returns: nil for fewer than three samples.
    init?(_ samples: [Double]) {
        guard samples.count >= 3 else { return nil }
        let third = samples.count / 3
        first = Spread(Array(samples.prefix(third)))
        last = Spread(Array(samples.suffix(third)))
    }

    /// The difference of the two medians.
    var growth: Double { last.median - first.median }
}
