import ChatLocalStack
import Foundation
import NIOCore
import Synchronization

/// What a fault has in its hands: the running stack, the clients, and a place to note what it did.
final class FaultStage: Sendable {
    let stack: FaultStack
    let load: FaultLoad
    private let state = Mutex<(notes: [String: Int], times: [String: NIODeadline])>(([:], [:]))

    init(stack: FaultStack, load: FaultLoad) {
        self.stack = stack
        self.load = load
    }

    var processes: LocalStack { stack.processes }

    /// Counts something that shows that the fault bit.
    func note(_ label: String, _ count: Int = 1) {
        state.withLock { $0.notes[label, default: 0] += count }
    }

    var notes: [String: Int] { state.withLock { $0.notes } }

    /// Remembers when something happened.
    func mark(_ label: String) {
        state.withLock { $0.times[label] = .now() }
    }

    func time(_ label: String) -> NIODeadline? { state.withLock { $0.times[label] } }

    /// Lets the fault last.
    func last(_ time: Duration) async throws {
        try await Task.sleep(for: time)
    }
}
