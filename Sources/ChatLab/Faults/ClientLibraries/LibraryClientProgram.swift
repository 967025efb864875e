import ArgumentParser
import ChatClient
import ChatLocalStack
import Foundation
import Synchronization

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
        let configuration = try ChatConfiguration(
            system: options.servers.system, messages: options.servers.messages, sockets: options.servers.sockets)
        var store: any ChatStore = try FileChatStore(folder: "\(folder)/store")
        if options.mistake == .forgetsOutbox { store = ForgetfulStore(store: store) }
        let client = ChatClient(configuration, trustedUser: Int64(options.userId), store: store)
        switch mode {
        case .run: try await run(client, options)
        case .show: try await show(client, options)
        }
    }

    // MARK: Reading and posting

    private func run(_ client: ChatClient, _ options: LibraryClient.Options) async throws {
        let applied = try LineFile(folder, "applied")
        var positions: [String: LogPosition] = [:]
        for line in applied.lines {
            let words = line.split(separator: " ")
            guard words.count == 3, let seq = Int64(words[1]) else { continue }
            positions[String(words[0])] = LogPosition(seq: seq, mark: String(words[2]))
        }
        let (heard, named) = (try LineFile(folder, "heard"), try LineFile(folder, "named"))
        heard.add("start")
        let mistake = options.mistake
        // Handled before the client is started: it may be asked to stop at once.
        let interrupts = await Interrupts()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await client.run() }
            for id in options.rooms {
                let room = client.room(id)
                // Opens the room: its log is kept from now on.
                _ = room.messages
                group.addTask { try await follow(room.events(), heard) }
                let position = positions[id]
                group.addTask {
                    if mistake == .keepsPositionApart { return try await followInTwoSteps(room, applied) }
                    try await follow(room.events(after: position?.seq ?? 0, mark: position?.mark), applied)
                }
                group.addTask {
                    let events = room.events(as: "worker", after: LogPosition(seq: 0, mark: nil))
                    if mistake == .movesPositionEarly { return try await followEarly(events, named) }
                    try await follow(events, named)
                }
            }
            if options.paceMs > 0 { group.addTask { try await post(client, options) } }
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

    private func follow(_ events: ChatEvents, _ lines: LineFile) async throws {
        for try await event in events { lines.add(event) }
    }

    /// Asks for the next event, which moves the position, before it has dealt with this one.
    private func followEarly(_ events: ChatEvents, _ lines: LineFile) async throws {
        var last: ChatEvent?
        for try await event in events {
            if let last {
                try await Task.sleep(for: .milliseconds(20))
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
            try await Task.sleep(for: .milliseconds(5))
            lines.add(event)
        }
    }

    private func post(_ client: ChatClient, _ options: LibraryClient.Options) async throws {
        let (kept, ended) = (try LineFile(folder, "kept"), try LineFile(folder, "ended"))
        // A key that is in the file was kept; the next one may have been, too, and is then the same send.
        var next = kept.lines.count
        try await withThrowingDiscardingTaskGroup { group in
            while true {
                let key = "\(options.keys)-\(next)"
                let room = options.ownRooms[next % options.ownRooms.count]
                next += 1
                let post = client.room(room).post(MessageContent(text: "Message \(key)"), key: key)
                try await post.kept()
                kept.add("\(key) \(room)")
                group.addTask {
                    do {
                        _ = try await post.stored()
                        ended.add("\(key) stored")
                    } catch let error as ChatError {
                        ended.add("\(key) refused \(error.code)")
                    }
                }
                try await Task.sleep(for: .milliseconds(Int.random(in: 0...2 * options.paceMs)))
            }
        }
    }

    // MARK: The store

    /// Prints what the store holds, as the library shows it without network.
    private func show(_ client: ChatClient, _ options: LibraryClient.Options) async throws {
        let store = try await withThrowingTaskGroup(of: LibraryClientRecord.Store?.self) { group in
            group.addTask {
                try await client.run()
                return nil
            }
            group.addTask {
                var store = LibraryClientRecord.Store()
                for id in options.rooms {
                    store.rooms[id] = await messages(of: client.room(id)).compactMap(\.message).map { message in
                        .init(
                            seq: Int(message.seq), messageId: Int(message.messageID), contentJson: message.contentJSON,
                            isEdited: message.isEdited, isDeleted: message.isDeleted)
                    }
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

    /// What a room shows of the store, at the latest after 2 s for a room without messages.
    private func messages(of room: ChatRoom) async -> [ShownMessage] {
        let messages = room.messages
        return await withTaskGroup(of: [ShownMessage].self) { group in
            group.addTask {
                for await shown in messages where !shown.items.isEmpty { return shown.items }
                return []
            }
            group.addTask {
                try? await Task.sleep(for: .seconds(2))
                return []
            }
            defer { group.cancelAll() }
            return await group.next() ?? []
        }
    }
}

/// A file of lines. A line that was cut off by the end of the process is removed first.
private final class LineFile: Sendable {
    let lines: [Substring]
    private let handle: Mutex<FileHandle>

    init(_ folder: String, _ name: String) throws {
        let path = "\(folder)/\(name).log"
        let data = FileManager.default.contents(atPath: path) ?? Data()
        let whole = data.lastIndex(of: UInt8(ascii: "\n")).map { data.prefix(through: $0) } ?? Data()
        // Where this fails, opening it does.
        if data.isEmpty { _ = FileManager.default.createFile(atPath: path, contents: nil) }
        lines = String(decoding: whole, as: UTF8.self).split(separator: "\n")
        let file = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
        try file.truncate(atOffset: UInt64(whole.count))
        handle = Mutex(file)
    }

    /// One write, so that a line is there or not.
    func add(_ line: String) {
        handle.withLock { $0.write(Data((line + "\n").utf8)) }
    }

    func add(_ event: ChatEvent) { add("\(event.roomID) \(event.seq) \(event.mark ?? "")") }
}

/// A store that keeps no posts: the mistake of a client that forgets its outbox.
private struct ForgetfulStore: ChatStore {
    let store: any ChatStore

    var isLasting: Bool { store.isLasting }

    func step<Result: Sendable>(
        _ body: @escaping @Sendable (inout ChatStoreStep) throws -> Result
    ) async throws -> Result {
        try await store.step { step in
            let result = try body(&step)
            for key in step.changes.keys where key.contains("outbox") { step.set(key, nil) }
            return result
        }
    }
}
