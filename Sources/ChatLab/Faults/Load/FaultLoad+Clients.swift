import NIOCore

/// What faults do to the clients of a load.
extension FaultLoad {
    var evidence: ClientEvidence {
        get async throws { try await onBoard { $0.evidence } }
    }

    /// Ends the connections of `count` sessions, chosen at random.
    func cutSessions(_ count: Int) async throws {
        try await onBoard { board in
            for session in board.sessions.shuffled().prefix(count) { session.cut() }
        }
    }

    /// Has `count` sessions, chosen at random, send frames that are answered and reset their connection at once.
    func resetSessions(_ count: Int) async throws {
        let (board, eventLoop) = (board, eventLoop)
        try await eventLoop.flatSubmit {
            let chosen = board.value.sessions.shuffled().prefix(count)
            return EventLoopFuture.andAllSucceed(chosen.map { $0.reset() }, on: eventLoop)
        }.get()
    }

    /// Makes the first `count` sessions stop reading.
    func stallSessions(_ count: Int) async throws {
        let (board, eventLoop) = (board, eventLoop)
        try await eventLoop.flatSubmit {
            EventLoopFuture.andAllSucceed(board.value.sessions.prefix(count).map { $0.stall() }, on: eventLoop)
        }.get()
    }

    func wakeSessions() async throws {
        try await onBoard { board in
            for session in board.sessions { session.goOn() }
        }
    }
}
