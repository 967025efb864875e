import ChatLocalStack
import Foundation
import Synchronization

/// The processes with client libraries of one run: readers of all rooms of the load, writers into rooms of their own.
final class LibraryClientLoad: Sendable {
    private static let firstUserID = 9500
    private static let pace = Duration.milliseconds(40)

    /// The processes on one store.
    struct StoreOfClients: Sendable {
        var clients: [LibraryClient]
    }

    let stores: [StoreOfClients]
    /// The rooms of the load, which they read.
    let rooms: [String]
    /// The rooms into which only these clients post.
    let ownRooms: [String]
    /// The rooms that they read under a name, too.
    private let namedRooms: Set<String>
    /// What cuts them off; nil without clients.
    private let links: LibraryClientLinks?
    private let loss = Mutex<LibraryClientCheck.LogLoss?>(nil)

    /// - Parameters:
    ///   - prefix: begins the names of rooms and posts.
    ///   - rooms: the rooms of the load, which are read.
    init(_ shape: LoadShape, name prefix: String, rooms: [String], stack: LocalStack) async throws {
        let folder = "\(stack.folder)/\(prefix)-clients"
        let ownRooms = shape.libraryClients > 0 ? (1...2).map { "\(prefix)-library-\($0)" } : []
        let namedRooms = shape.libraryClientsNameAllRooms ? rooms + ownRooms : ownRooms
        self.rooms = rooms
        self.ownRooms = ownRooms
        self.namedRooms = Set(namedRooms)
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
                                rooms: rooms + ownRooms, namedRooms: namedRooms, ownRooms: ownRooms,
                                keys: "\(prefix)-\(name)\(suffix)", paceMs: Int(Self.pace / .milliseconds(1)),
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

    // MARK: The end

    /// What all clients did, and the logs of their own rooms.
    struct Outcome: Sendable {
        var checks: [(name: String, summary: String, check: LibraryClientCheck)] = []
        /// Of those that did not get to the end.
        var problems: [String] = []
    }

    /// Lets all clients send what they kept, and get to the end of the logs; then stops them and has their stores shown.
    /// - Parameter logs: the logs of the rooms of the load.
    func finish(
        logs: [String: [LibraryClientCheck.Entry]], reader: RoomLogReader, within time: Duration
    ) async throws -> Outcome {
        guard let links else { return Outcome() }
        var outcome = Outcome()
        try await links.set(.pass)
        for client in clients {
            client.resume()
            try client.setPosting(false)
        }
        var own = GrowingLogs(reader: reader, rooms: ownRooms)
        let deadline = ContinuousClock.now + time
        var open = clients
        while !open.isEmpty {
            var obstacles: [String] = []
            var behind: [LibraryClient] = []
            for client in open {
                guard let obstacle = try await obstacle(of: client, logs, &own) else { continue }
                obstacles.append("\(client.name) did not get to the end in \(time): \(obstacle)\n\(client.tail)")
                behind.append(client)
            }
            open = behind
            guard ContinuousClock.now < deadline else {
                outcome.problems += obstacles
                break
            }
            if !open.isEmpty { try await Task.sleep(for: Self.pollInterval) }
        }
        try await withThrowingTaskGroup(of: String?.self) { group in
            for client in clients {
                group.addTask {
                    do {
                        try await client.stop()
                        return nil
                    } catch let error as LocalStackError {
                        return "\(error)"
                    }
                }
            }
            for try await problem in group { outcome.problems += [problem].compactMap { $0 } }
        }
        try await own.update()
        let all = logs.merging(own.logs) { $1 }
        for store in stores {
            do {
                outcome.checks += try await check(store, all, links.servers)
            } catch let error as LocalStackError {
                outcome.problems.append("\(error)")
            }
        }
        try await links.stop()
        return outcome
    }

    private static let pollInterval = Duration.milliseconds(200)

    private func check(
        _ store: StoreOfClients, _ logs: [String: [LibraryClientCheck.Entry]], _ servers: LibraryClient.Servers
    ) async throws -> [(name: String, summary: String, check: LibraryClientCheck)] {
        guard let shown = try await store.clients.first?.shownStore(servers) else { return [] }
        let loss = loss.withLock { $0 }
        let records = store.clients.map { client in
            var record = client.progress
            record.sharesStore = store.clients.count > 1
            return record
        }
        var checks = records.map { record in
            (
                name: record.name,
                summary: "\(record.kept.count) posts kept, \(record.applied.count) events dealt with, "
                    + "\(record.kills) kills",
                check: LibraryClientCheck(record, store: shown, logs: logs, named: namedRooms, loss: loss)
            )
        }
        if records.count > 1 {
            let names = records.map(\.name).joined(separator: " and ")
            let check = LibraryClientCheck(lineOf: records, logs: logs)
            checks.append((names, "one line of \(records.map(\.kept.count).reduce(0, +)) posts", check))
        }
        return checks
    }

    /// Why a client is not at the end of all rooms with all its posts; nil if it is.
    private func obstacle(
        of client: LibraryClient, _ logs: [String: [LibraryClientCheck.Entry]], _ own: inout GrowingLogs
    ) async throws -> String? {
        let progress = client.progress
        if let obstacle = try await obstacleToEnd(of: progress, &own) { return obstacle }
        try await own.update()
        for (room, log) in logs.merging(own.logs, uniquingKeysWith: { $1 }) {
            let named = namedRooms.contains(room) ? progress.named : nil
            for (name, sightings) in [("applied", progress.applied), ("named", named)] {
                guard let sightings, let head = log.last else { continue }
                let last = sightings.last { $0.room == room }
                if last?.eventMark != head.eventMark {
                    return "\(name) events of \(room): \(last?.seq ?? 0) of \(head.seq)"
                }
            }
        }
        return nil
    }

    /// Why it is not known that all posts of a client have ended; nil if they have.
    private func obstacleToEnd(of progress: LibraryClientRecord, _ own: inout GrowingLogs) async throws -> String? {
        // Each life posts first what may have been kept without being written down.
        if progress.heard.count < progress.starts { return "it has not begun" }
        if progress.kept.last?.key != progress.lastAsked || progress.lastAsked == nil { return "a post is being kept" }
        var ended = Set(progress.ends.map(\.key))
        var open = progress.kept.count { !ended.contains($0.key) }
        if open == 0 { return nil }
        // A client that is killed in this moment may not have written down how a post ended.
        try await own.update()
        ended.formUnion(own.logs.values.joined().compactMap(\.key))
        open = progress.kept.count { !ended.contains($0.key) }
        return open > 0 ? "\(open) posts without an end" : nil
    }

    /// Ends all clients, whatever they do.
    func abandon() async {
        for client in clients { client.abandon() }
        try? await links?.stop()
    }
}

/// Logs that are read on from where they were read before.
private struct GrowingLogs {
    let reader: RoomLogReader
    private(set) var logs: [String: [LibraryClientCheck.Entry]]

    init(reader: RoomLogReader, rooms: [String]) {
        self.reader = reader
        logs = Dictionary(rooms.map { ($0, []) }, uniquingKeysWith: { first, _ in first })
    }

    mutating func update() async throws {
        for (room, log) in logs {
            logs[room]? += try await reader.events(of: room, after: log.last?.seq ?? 0).map(\.content)
        }
    }
}
