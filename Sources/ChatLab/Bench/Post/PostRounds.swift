import NIOCore

/// Clients that post as fast as they are answered, for some seconds, several times.
struct PostRounds: Sendable {
    let port: Int
    let clients: Int
    let rooms: [String]
    /// Of the one user whom all clients are; nil for a user each, in `trusted` mode.
    let token: String?
    let seconds: Int

    /// - Returns: what came of all clients together.
    func run() async throws -> PostClients.Outcome {
        let runID = String(UInt32.random(in: 0...UInt32.max), radix: 36)
        let clients = (0..<clients).map { client in
            PostClients.Client(
                caller: token.map { .token($0) } ?? .userID(client + 1), room: rooms[client % rooms.count],
                prefix: "\(runID)-\(client)-")
        }
        let start = NIODeadline.now() + .seconds(2)
        return try await PostClients(port: port, clients: clients).run(
            measured: start..<start + .seconds(Int64(seconds)))
    }
}
