import ArgumentParser
import ChatClient
import ChatLocalStack
import Foundation
import NIOCore

/// The process that `chat-lab faults` starts, freezes and kills: it reads and posts with the Swift client library and a
/// lasting store, and writes down what an application would have done. Its counterpart in JavaScript,
/// `Clients/JavaScript/faults/fault-client.mjs`, explains its arguments and files.
struct LibraryClientProgram: AsyncParsableCommand {
    static let name = "library-client"
    static let configuration = CommandConfiguration(
        commandName: name, abstract: "A client of the fault suite.", shouldDisplay: false)

    enum Mode: String, ExpressibleByArgument { case run, show }

    @Argument var mode: Mode
    @Argument var folder: String
    @Argument var options: String

    func run() async throws {
        let options = try JSONDecoder().decode(LibraryClient.Options.self, from: Data(options.utf8))
        let (servers, work) = (options.servers, options.work)
        let configuration = try ChatConfiguration(
            system: servers.system, messages: servers.messages, sockets: servers.sockets)
        let store = try FileChatStore(folder: work.store)
        if work.mistake == .forgetsOutbox { try await Self.forgetOutbox(store) }
        let client = ChatClient(configuration, trustedUser: Int64(work.userId), store: store)
        switch mode {
        case .run: try await run(client, work)
        case .show: try await show(client, work)
        }
    }

    // MARK: Reading and posting

    private func run(_ client: ChatClient, _ work: LibraryClient.Work) async throws {
        // Handled before it says that it has begun: it may be asked to stop at once.
        let interrupts = await Interrupts()
        let (heard, applied, named) = (
            try LineFile(folder, "heard"), try LineFile(folder, "applied"), try LineFile(folder, "named")
        )
        heard.add("start")
        let positions = applied.positions
        let names = named.resets
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await client.run() }
            group.addTask { await report(client) }
            for id in work.rooms {
                let room = client.room(id)
                // Opens the room: its log is kept from now on.
                _ = room.messages
                group.addTask { try await follow(id, heard) { _ in room.events() } }
                group.addTask {
                    if work.mistake == .keepsPositionApart { return try await followInTwoSteps(room, applied) }
                    try await follow(id, applied) { count in
                        let position = count == 0 ? positions[id] : nil
                        return room.events(after: position?.seq ?? 0, mark: position?.mark)
                    }
                }
            }
            for id in work.namedRooms {
                // A position in a log that is gone is of no use: a new name begins at the beginning.
                @Sendable func reader(_ count: Int) -> ChatEvents {
                    let start = LogPosition(seq: 0, mark: nil)
                    return client.room(id).events(as: "\(work.name)-\(names[id, default: 0] + count)", after: start)
                }
                group.addTask {
                    if work.mistake == .movesPositionEarly { return try await followEarly(reader(0), named) }
                    try await follow(id, named, reader)
                }
            }
            group.addTask { try await post(client, work) }
            group.addTask {
                await interrupts.wait()
                throw CancellationError()
            }
            // The first one that ends, or fails, ends all: unlike `waitForAll`, which waits for the others.
            defer { group.cancelAll() }
            do {
                for try await _ in group {}
            } catch is CancellationError {}
        }
    }

    /// Writes the states of the connection and the errors to the log, until the task is cancelled.
    private func report(_ client: ChatClient) async {
        await withDiscardingTaskGroup { group in
            group.addTask {
                for await status in client.connectionStates {
                    log(status.state.rawValue, status.reason.rawValue)
                }
            }
            group.addTask {
                for await error in client.errors() { log(error.code.rawValue, error.message) }
            }
        }
    }

    private func log(_ words: String...) {
        let time = Date.now.formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
        Terminal.printError(([time] + words).joined(separator: " "))
    }

    /// Writes down what a reader gives; one whose log is gone begins again.
    /// - Parameter events: makes the reader, by how often it was begun again in this life.
    private func follow(_ room: String, _ lines: LineFile, _ events: (Int) -> ChatEvents) async throws {
        var count = 0
        while true {
            do {
                for try await event in events(count) { lines.add(event) }
                return
            } catch let error as ChatError where error.code == .logMismatch {
                lines.add("reset \(room) 0")
                count += 1
            }
        }
    }

    /// Asks for the next event, which moves the position, before it has dealt with this one.
    private func followEarly(_ events: ChatEvents, _ lines: LineFile) async throws {
        var last: ChatEvent?
        for try await event in events {
            if let last {
                try await Task.sleep(for: Self.earliness)
                lines.add(last)
            }
            last = event
        }
    }

    /// Keeps the position in a file of its own, before the work is done.
    private func followInTwoSteps(_ room: ChatRoom, _ lines: LineFile) async throws {
        let file = URL(fileURLWithPath: "\(folder)/position-\(room.id)")
        let after = (try? String(contentsOf: file, encoding: .utf8)).flatMap { Int64($0) } ?? 0
        for try await event in room.events(after: after) {
            try Data(String(event.seq).utf8).write(to: file)
            try await Task.sleep(for: Self.mistake)
            lines.add(event)
        }
    }

    /// How long a mistake may be cut off in the middle.
    private static let mistake = Duration.milliseconds(25)
    /// Longer, since named readers read the few posts of clients.
    private static let earliness = Duration.milliseconds(150)
    private static let pause = Duration.milliseconds(50)

    /// Posts one message after the other.
    private func post(_ client: ChatClient, _ work: LibraryClient.Work) async throws {
        let (asked, kept, ended) = (
            try LineFile(folder, "asked"), try LineFile(folder, "kept"), try LineFile(folder, "ended")
        )
        // A key that is in the file was kept; one that was asked for after it may have been, too, and is then the same send.
        let isInDoubt = asked.lines.last?.split(separator: " ").first != kept.lines.last?.split(separator: " ").first
        if !isInDoubt { try await paused() }
        var next = kept.lines.count
        try await withThrowingDiscardingTaskGroup { group in
            while true {
                let key = "\(work.keys)-\(next)"
                let room = work.ownRooms[next % work.ownRooms.count]
                next += 1
                asked.add("\(key) \(NIODeadline.now().uptimeNanoseconds)")
                let post = client.room(room).post(MessageContent(text: "Message \(key)"), key: key)
                try await post.kept()
                kept.add("\(key) \(NIODeadline.now().uptimeNanoseconds)")
                group.addTask {
                    do {
                        ended.add("\(key) stored \(room) \(try await post.stored().seq)")
                    } catch let error as ChatError {
                        ended.add("\(key) refused \(error.code)")
                    }
                }
                try await Task.sleep(for: .milliseconds(Int.random(in: 0...2 * work.paceMs)))
                try await paused()
            }
        }
    }

    private func paused() async throws {
        while FileManager.default.fileExists(atPath: "\(folder)/\(LibraryClient.pauseFile)") {
            try await Task.sleep(for: Self.pause)
        }
    }

    // MARK: The store

    /// The mistake of a client that forgets what it has kept to send when it is killed.
    private static func forgetOutbox(_ store: FileChatStore) async throws {
        try await store.step { step in
            for key in try step.keys(withPrefix: "") where key.contains("/outbox/") { step.set(key, nil) }
        }
    }

    /// Prints what the store holds, as the library shows it without network.
    private func show(_ client: ChatClient, _ work: LibraryClient.Work) async throws {
        let store = try await withThrowingTaskGroup(of: LibraryClientRecord.Store?.self) { group in
            group.addTask {
                try await client.run()
                return nil
            }
            group.addTask {
                var store = LibraryClientRecord.Store()
                await withTaskGroup(of: (String, [LibraryClientRecord.Message]).self) { group in
                    for id in work.rooms {
                        group.addTask {
                            let shown = await messages(of: client.room(id)).compactMap(\.message)
                            return (id, shown.map(LibraryClientRecord.Message.init))
                        }
                    }
                    for await (id, messages) in group { store.rooms[id] = messages }
                }
                store.outbox = client.outbox.value.map { .init(key: $0.key, state: $0.state.rawValue) }
                return store
            }
            defer { group.cancelAll() }
            return try await group.next() ?? nil
        }
        let json = try JSONEncoder().encode(store ?? .init())
        FileHandle.standardOutput.write(json)
    }

    /// What a room shows of the store, at the latest after 20 s for a room without messages.
    private func messages(of room: ChatRoom) async -> [ShownMessage] {
        let messages = room.messages
        return await withTaskGroup(of: [ShownMessage].self) { group in
            group.addTask {
                for await shown in messages where !shown.items.isEmpty { return shown.items }
                return []
            }
            group.addTask {
                try? await Task.sleep(for: .seconds(20))
                return []
            }
            defer { group.cancelAll() }
            return await group.next() ?? []
        }
    }
}

extension LibraryClientRecord.Message {
    fileprivate init(_ message: Message) {
        self.init(
            seq: Int(message.seq), messageId: Int(message.messageID), contentJson: message.contentJSON,
            isEdited: message.isEdited, isDeleted: message.isDeleted)
    }
}
