import ChatLocalStack
import NIOCore

/// What happens to processes with client libraries.
extension Fault {
    static let libraryClientFaults = [clientKilled]

    private static let killed = "clients killed"
    private static let frozen = "frozen"
    private static let asleep = "put to sleep for 31 s"
    private static let disconnected = "servers killed under them"
    private static let cut = "times cut off"
    private static let blackHoled = "times black-holed"

    private static let shape = LoadShape(
        rooms: 2, sessions: 10, writers: 6, messages: 1000, rate: 30, libraryClients: 2,
        sharedStores: 1, clientKills: 200)

    /// Clients are killed at random moments, frozen, put to sleep, cut off, and lose their servers.
    static let clientKilled = Fault(
        name: "client-killed",
        summary:
            "Processes with client libraries and lasting stores are killed at random moments, \(shape.clientKills) times "
            + "in all, frozen, put to sleep, cut off, and lose their servers",
        shape: shape, bounds: .init(delay: .fixed(.seconds(10))),
        signs: [
            .noted(killed).required, .noted(frozen).required, .noted(asleep).required, .noted(disconnected).required,
            .noted(cut).required, .noted(blackHoled).required,
        ],
        isInShortForm: true,
        shapeOfShortForm: LoadShape(
            rooms: 2, sessions: 10, writers: 6, messages: 500, rate: 30, libraryClients: 1,
            sharedStores: 1, clientKills: 20),
        inflict: { stage in
            var sleeper: Sleeper?
            for number in 0..<stage.load.shape.clientKills {
                sleeper?.wakeIfRested(stage)
                if sleeper?.isAwake ?? true, number % 50 == 1 { sleeper = Sleeper(stage) }
                let awake = stage.libraryClients.clients.filter { $0 !== sleeper?.sleeping }
                try await trouble(awake[number % awake.count], number, stage)
            }
            try await sleeper?.sleepToTheEnd(stage)
        },
        heal: { try await $0.libraryClients.setLinks(.pass) })

    /// Kills a client at a random moment, after something else has gone wrong or while it does.
    private static func trouble(_ client: LibraryClient, _ number: Int, _ stage: FaultStage) async throws {
        let libraryClients = stage.libraryClients
        try await stage.last(.milliseconds(.random(in: 50...2000)))
        switch number % 10 {
        case 2:
            // Killed while it is cut off, it begins its next life without network.
            let part = LibraryClientLinks.Part.allCases.randomElement() ?? .all
            try await libraryClients.setLinks(.cut, part)
            stage.note(cut)
            try await stage.last(.milliseconds(.random(in: 50...3000)))
        case 3:
            client.pause()
            try await stage.last(.milliseconds(.random(in: 100...7000)))
            client.resume()
            stage.note(frozen)
        case 7:
            let servers =
                number % 20 == 7 ? stage.processes.webSocketServers : stage.processes.messageServers
            guard let server = servers.randomElement() else { break }
            try await server.kill()
            try await server.start()
            stage.note(disconnected)
        case 8:
            try await libraryClients.setLinks(.blackHole)
            stage.note(blackHoled)
            try await stage.last(.milliseconds(.random(in: 50...3000)))
        default: break
        }
        try await client.kill()
        stage.note(killed)
        try libraryClients.start(client)
        if [2, 8].contains(number % 10) {
            try await stage.last(.milliseconds(.random(in: 0...1000)))
            try await libraryClients.setLinks(.pass)
        }
    }

    /// A client whose process stands still for so long that its clock jumps, its server gives it up, and others on its store
    /// send for it.
    private struct Sleeper {
        private static let time = Duration.seconds(31)

        private(set) var sleeping: LibraryClient?
        private let end = ContinuousClock.now + time

        var isAwake: Bool { sleeping == nil }

        init(_ stage: FaultStage) {
            sleeping = stage.libraryClients.clients.randomElement()
            sleeping?.pause()
        }

        mutating func wakeIfRested(_ stage: FaultStage) {
            guard let sleeping, ContinuousClock.now >= end else { return }
            sleeping.resume()
            stage.note(asleep)
            self.sleeping = nil
        }

        mutating func sleepToTheEnd(_ stage: FaultStage) async throws {
            guard sleeping != nil else { return }
            try await Task.sleep(until: end, clock: .continuous)
            wakeIfRested(stage)
        }
    }

    /// Clients that make mistakes, cut off from message servers so that they have something to send, and killed.
    static let mistakenClients = Fault(
        name: "mistaken-clients", summary: "Clients that make mistakes are killed",
        shape: LoadShape(
            rooms: 2, sessions: 10, writers: 6, messages: 300, rate: 60,
            libraryClients: LibraryClient.Mistake.allCases.count,
            libraryMistakes: LibraryClient.Mistake.allCases),
        signs: [.noted(killed)],
        inflict: { stage in
            for _ in 0..<5 {
                try await stage.last(.seconds(2))
                try await stage.libraryClients.setLinks(.cut, .messages)
                try await stage.last(.milliseconds(500))
                for client in stage.libraryClients.clients {
                    try await client.kill()
                    stage.note(killed)
                }
                try await stage.libraryClients.setLinks(.pass)
                for client in stage.libraryClients.clients { try stage.libraryClients.start(client) }
            }
        })
}
