import Synchronization

/// A state that one side changes and others wait upon, with a deadline.
final class Mailbox<State: Sendable>: Sendable {
    private struct Contents {
        var state: State
        /// Each looks at the state and says whether its wait is over.
        var waiters: [Int: @Sendable (State) -> Bool] = [:]
        var nextID = 0
    }

    private let contents: Mutex<Contents>

    init(_ state: State) { contents = Mutex(Contents(state: state)) }

    var state: State { contents.withLock { $0.state } }

    func update(_ change: (inout State) -> Void) {
        contents.withLock { contents in
            change(&contents.state)
            for (id, isOver) in contents.waiters where isOver(contents.state) { contents.waiters[id] = nil }
        }
    }

    /// Waits until `find` finds something in the state.
    /// - Returns: what was found; `nil` when the time is up.
    func wait<Found: Sendable>(
        within time: Duration, until find: @escaping @Sendable (State) -> Found?
    ) async throws -> Found? {
        let (found, continuation) = AsyncStream.makeStream(of: Found.self, bufferingPolicy: .bufferingOldest(1))
        let id = contents.withLock { contents -> Int in
            contents.nextID += 1
            if let found = find(contents.state) {
                continuation.yield(found)
            } else {
                contents.waiters[contents.nextID] = { state in
                    guard let found = find(state) else { return false }
                    continuation.yield(found)
                    return true
                }
            }
            return contents.nextID
        }
        let timer = Task {
            try await Task.sleep(for: time)
            continuation.finish()
        }
        defer {
            timer.cancel()
            contents.withLock { $0.waiters[id] = nil }
        }
        let first = await found.first { _ in true }
        try Task.checkCancellation()
        return first
    }
}
