import NIOCore

/// Clients that post as fast as they are answered, for some seconds, several times.
struct PostRounds: Sendable {
    let port: Int
    let eventLoop: any EventLoop
    let clients: Int
    let rooms: [String]
    /// Of the one user whom all clients are; nil for a user each, in `trusted` mode.
    let token: String?
    let seconds: Int

    /// - Returns: what came of all clients together.
    func run() async throws -> PostLoad.Outcome {
        let start = NIODeadline.now()
        let measured = start + .seconds(2)..<start + .seconds(2 + Int64(seconds))
        let runID = String(UInt32.random(in: 0...UInt32.max), radix: 36)
        return try await withThrowingTaskGroup(of: PostLoad.Outcome.self) { tasks in
            for client in 0..<clients {
                let caller = token.map { PostRequest.Caller.token($0) } ?? .userID(client + 1)
                tasks.addTask {
                    try await PostLoad.run(
                        port: port, on: eventLoop, caller: caller, room: rooms[client % rooms.count],
                        prefix: "\(runID)-\(client)-", measured: measured)
                }
            }
            return try await tasks.reduce(into: PostLoad.Outcome()) { $0.merge($1) }
        }
    }
}
