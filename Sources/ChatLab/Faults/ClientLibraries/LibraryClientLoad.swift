import ChatLocalStack
import Foundation
import Synchronization

/// The processes with client libraries of one run: readers of all rooms of the load, writers into rooms of their own.
final class LibraryClientLoad: Sendable {
    static let firstUserID = 9500
    private static let pace = Duration.milliseconds(40)

    let clients: [LibraryClient]
    /// The rooms into which only these clients post.
    let ownRooms: [String]
    private let stack: LocalStack
    private let folder: String

    /// - Parameters:
    ///   - name: begins the names of rooms.
    ///   - rooms: the rooms of the load, which are read.
    init(_ shape: LoadShape, name: String, rooms: [String], stack: LocalStack) {
        self.stack = stack
        folder = "\(stack.folder)/\(name)-clients"
        ownRooms = shape.libraryClients > 0 ? (1...2).map { "\(name)-library-\($0)" } : []
        let (folder, ownRooms) = (folder, ownRooms)
        clients = LibraryClient.Language.allCases.enumerated().flatMap { index, language in
            (0..<shape.libraryClients).map { number in
                LibraryClient(
                    language, userID: Self.firstUserID + index * 100 + number, rooms: rooms + ownRooms,
                    ownRooms: ownRooms, keys: "\(name)-\(index)\(number)", folder: folder, mistake: shape.libraryMistake
                )
            }
        }
    }

    /// Makes the clients' users members of all rooms, and starts the clients.
    func start(_ load: FaultLoad) async throws {
        for client in clients {
            for room in load.rooms + ownRooms { try await load.join(room, as: client.userID) }
            try start(client)
        }
    }

    /// Starts a client with any of the servers, posting.
    func start(_ client: LibraryClient) throws { try client.start(servers, pace: Self.pace) }

    private var servers: LibraryClient.Servers {
        let message = stack.messageServers.randomElement() ?? stack.systemServer
        let webSocket = stack.webSocketServers.randomElement() ?? stack.systemServer
        return .init(
            system: stack.systemServer.url, messages: message.url,
            sockets: "ws://127.0.0.1:\(webSocket.port)")
    }

    /// Lets all clients send what they kept, and get to the end of the logs; then stops them.
    /// - Parameter heads: the last `seq` of each room of the load.
    /// - Returns: what they wrote down, and the problems of those that did not get there.
    func finish(
        heads: [String: Int], reader: RoomLogReader, within time: Duration
    ) async throws -> (records: [LibraryClientRecord], problems: [String]) {
        var problems: [String] = []
        for client in clients {
            client.resume()
            // One that has just been started could not be asked to stop.
            try await client.kill()
            try client.start(servers, pace: nil)
        }
        let deadline = ContinuousClock.now + time
        var records: [LibraryClientRecord] = []
        for client in clients {
            while let obstacle = try await obstacle(of: client, heads, reader) {
                guard ContinuousClock.now < deadline else {
                    problems.append("\(client.name) did not get to the end in \(time): \(obstacle)\n\(client.tail)")
                    break
                }
                try await Task.sleep(for: .milliseconds(200))
            }
            do {
                try await client.stop()
                records.append(try await client.record(servers))
            } catch {
                problems.append("\(error)")
            }
        }
        return (records, problems)
    }

    /// Why a client is not at the end of all rooms with all its posts; nil if it is.
    private func obstacle(
        of client: LibraryClient, _ heads: [String: Int], _ reader: RoomLogReader
    ) async throws -> String? {
        let progress = client.progress
        // A client that is killed in this moment may not have written down how a post ended.
        var ended = Set(progress.ends.map(\.key))
        var heads = heads
        for room in ownRooms {
            let log = try await reader.contents(of: room)
            heads[room] = log.last?.seq ?? 0
            ended.formUnion(log.compactMap(\.key))
        }
        let open = progress.kept.count { !ended.contains($0) }
        if open > 0 { return "\(open) posts without an end" }
        for (room, head) in heads {
            for (name, sightings) in [("applied", progress.applied), ("named", progress.named)] {
                let last = sightings.last { $0.room == room }?.seq ?? 0
                if last < head { return "\(name) events of \(room): \(last) of \(head)" }
            }
        }
        return nil
    }

    /// Ends all clients, whatever they do.
    func abandon() {
        for client in clients { client.abandon() }
    }
}
