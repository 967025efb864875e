import ChatLocalStack
import Foundation
import Synchronization

/// The processes with client libraries of one run: readers of all rooms of the load, writers into rooms of their own.
final class LibraryClientLoad: Sendable {
    private static let firstUserID = 9500
    /// The mean time from one post of all of them to the next.
    private static let pace = Duration.milliseconds(50)

    /// The processes on one store.
    struct StoreOfClients: Sendable {
        var clients: [LibraryClient]
    }

    let stores: [StoreOfClients]
    /// The rooms of the load that they read.
    let rooms: [String]
    /// The rooms into which only these clients post. They read them under a name, too, which costs a write for each event.
    let ownRooms: [String]
    /// What cuts them off; nil without clients.
    let links: LibraryClientLinks?
    let loss = Mutex<LibraryClientCheck.LogLoss?>(nil)

    /// - Parameters:
    ///   - prefix: begins the names of rooms and posts.
    ///   - all: the rooms of the load.
    init(_ shape: LoadShape, name prefix: String, rooms all: [String], stack: LocalStack) async throws {
        let rooms = Array(all.prefix(shape.libraryRooms))
        let folder = "\(stack.folder)/\(prefix)-clients"
        let ownRooms = shape.libraryClients > 0 ? (1...2).map { "\(prefix)-library-\($0)" } : []
        self.rooms = rooms
        self.ownRooms = ownRooms
        let processes = (shape.libraryClients + shape.sharedStores) * LibraryClient.Language.allCases.count
        let pace = Int(Self.pace * processes / .milliseconds(1))
        stores = LibraryClient.Language.allCases.flatMap { language in
            (0..<shape.libraryClients).map { number in
                let name = Self.name(language, number)
                let mistakes = shape.libraryMistakes
                return StoreOfClients(
                    clients: (number < shape.sharedStores ? ["a", "b"] : [""]).map { suffix in
                        LibraryClient(
                            language,
                            work: .init(
                                userId: Self.userID(language, number), name: name + suffix,
                                store: "\(folder)/store-\(name)",
                                rooms: rooms + ownRooms, namedRooms: ownRooms, ownRooms: ownRooms,
                                keys: "\(prefix)-\(name)\(suffix)", paceMs: pace,
                                mistake: mistakes.isEmpty ? nil : mistakes[number % mistakes.count]),
                            folder: folder)
                    })
            }
        }
        links = shape.libraryClients > 0 ? try await LibraryClientLinks.start(to: stack) : nil
    }

    /// The name of a store and, where only one has it, of its process.
    static func name(_ language: LibraryClient.Language, _ number: Int) -> String {
        "\(language.rawValue)-\(userID(language, number))"
    }

    private static func userID(_ language: LibraryClient.Language, _ number: Int) -> Int {
        let place = LibraryClient.Language.allCases.firstIndex(of: language) ?? 0
        return firstUserID + place * 100 + number
    }

    var clients: [LibraryClient] { stores.flatMap(\.clients) }

    /// Makes the clients' users members of all rooms, and starts the clients.
    func start(_ load: FaultLoad) async throws {
        for store in stores {
            guard let userID = store.clients.first?.work.userId else { continue }
            for room in rooms + ownRooms { try await load.join(room, as: userID) }
        }
        for client in clients { try start(client) }
    }

    /// Starts a client with any of the servers.
    func start(_ client: LibraryClient) throws {
        guard let links else { return }
        try client.start(links.servers)
    }

    // MARK: What is done to them

    /// Does something to their links.
    func setLinks(_ mode: FaultProxy.Mode, _ part: LibraryClientLinks.Part = .all) async throws {
        try await links?.set(mode, part)
    }

    /// Has them post nothing new, and waits until all that they kept is stored.
    /// - Throws: `LocalStackError` if it is not within 30 s.
    func pausePosting(_ reader: RoomLogReader) async throws {
        for client in clients { try client.setPosting(false) }
        var logs = GrowingLogs(reader: reader, rooms: ownRooms)
        let deadline = ContinuousClock.now + .seconds(30)
        for client in clients {
            while let obstacle = try await obstacleToEnd(of: client.progress, &logs) {
                guard ContinuousClock.now < deadline else { throw LocalStackError("\(client.name): \(obstacle)") }
                try await Task.sleep(for: Self.pollInterval)
            }
        }
    }

    func resumePosting() throws {
        for client in clients { try client.setPosting(true) }
    }

    /// From here on readers may be informed that a log is another one.
    func noteLogLoss(_ loss: LibraryClientCheck.LogLoss) { self.loss.withLock { $0 = loss } }

    /// Ends all clients, whatever they do.
    func abandon() async {
        for client in clients { client.abandon() }
        try? await links?.stop()
    }
}
