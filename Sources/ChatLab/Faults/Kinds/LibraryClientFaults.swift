import ChatLocalStack
import NIOCore

/// What happens to processes with client libraries.
extension Fault {
    static let libraryClientFaults = [clientKilled(kills: 200)]

    private static let killed = "clients killed"
    private static let frozen = "frozen"
    private static let disconnected = "servers killed under them"

    /// Clients are killed at random moments, frozen, and lose their servers.
    /// - Parameters:
    ///   - kills: how often clients are killed in all.
    ///   - mistake: what all of them do wrong, for the self-proof.
    static func clientKilled(kills: Int, mistake: LibraryClient.Mistake? = nil) -> Fault {
        var shape = LoadShape(rooms: 2, sessions: 10, writers: 6, messages: 1000, rate: 60, libraryClients: 2)
        shape.libraryMistake = mistake
        var shortened = shape
        shortened.libraryClients = 1
        shortened.messages = 500
        return Fault(
            name: "client-killed",
            summary:
                "Processes with client libraries and lasting stores are killed at random moments, \(kills) times in "
                + "all, frozen, and lose their servers",
            shape: shape, bounds: .init(delay: .fixed(.seconds(10))),
            signs: [.noted(killed).required, .noted(frozen).required, .noted(disconnected).required],
            isInShortForm: true, shapeOfShortForm: shortened,
            inflict: { stage in
                let clients = stage.libraryClients.clients
                let count = stage.load.shape.messages < 1000 ? kills / 10 : kills
                for number in 0..<count {
                    let client = clients[number % clients.count]
                    try await stage.last(.milliseconds(.random(in: 50...1200)))
                    if number % 10 == 3 {
                        client.pause()
                        try await stage.last(.milliseconds(.random(in: 100...7000)))
                        client.resume()
                        stage.note(frozen)
                    }
                    if number % 20 == 7 {
                        let servers =
                            number % 40 == 7 ? stage.processes.webSocketServers : stage.processes.messageServers
                        guard let server = servers.randomElement() else { continue }
                        try await server.kill()
                        try await server.start()
                        stage.note(disconnected)
                    }
                    try await client.kill()
                    stage.note(killed)
                    try stage.libraryClients.start(client)
                }
            })
    }
}
