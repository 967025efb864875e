import ChatLocalStack
import NIOCore

/// What happens to processes with client libraries.
extension Fault {
    static let libraryClientFaults = [clientKilled]

    private static let killed = "clients killed"
    private static let frozen = "frozen"
    private static let disconnected = "servers killed under them"

    private static let shape = LoadShape(
        rooms: 2, sessions: 10, writers: 6, messages: 1000, rate: 60, libraryClients: 2, clientKills: 200)

    /// The load of the short form, and of the self-proof.
    static let shortShape = LoadShape(
        rooms: 2, sessions: 10, writers: 6, messages: 500, rate: 60, libraryClients: 1, clientKills: 20)

    /// Clients are killed at random moments, frozen, and lose their servers.
    static let clientKilled = Fault(
        name: "client-killed",
        summary:
            "Processes with client libraries and lasting stores are killed at random moments, \(shape.clientKills) times "
            + "in all, frozen, and lose their servers",
        shape: shape, bounds: .init(delay: .fixed(.seconds(10))),
        signs: [.noted(killed).required, .noted(frozen).required, .noted(disconnected).required],
        isInShortForm: true, shapeOfShortForm: shortShape,
        inflict: { stage in
            let clients = stage.libraryClients.clients
            for number in 0..<stage.load.shape.clientKills {
                let client = clients[number % clients.count]
                try await stage.last(.milliseconds(.random(in: 50...2000)))
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
