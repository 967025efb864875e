import Foundation

/// One measurement of what a delivery costs, and of the reference beside it.
struct FanoutCost: Sendable {
    let turns: FanoutTurns
    let writeLoop: WriteLoop
    /// The WebSocket server.
    let pid: pid_t
    let seconds: Int64

    /// - Returns: microseconds of processor time for one frame to one socket. With several in flight frames go out
    ///   together; so do the reference's.
    func measure(inFlight: Int) async throws -> (measured: Double, reference: Double) {
        let before = try ProcessorTime.seconds(ofProcess: pid)
        let (deliveries, bytes) = try await turns.run(inFlight: inFlight, for: .seconds(seconds))
        let used = try ProcessorTime.seconds(ofProcess: pid) - before
        let write = try await writeLoop.run(bytes: bytes * inFlight, for: .seconds(seconds / 2 + 1))
        return (used / Double(max(1, deliveries)) * 1e6, write.processorSeconds / Double(inFlight) * 1e6)
    }
}
