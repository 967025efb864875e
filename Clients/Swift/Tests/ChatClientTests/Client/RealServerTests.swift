import Foundation
import Logging
import Testing

@testable import ChatClient

/// Tests with running servers, at the addresses in `CHAT_SYSTEM_URL`, `CHAT_MESSAGE_URL` and `CHAT_WEBSOCKET_URL`.
@Suite(.enabled(if: ProcessInfo.processInfo.environment["CHAT_SYSTEM_URL"] != nil), .timeLimit(.minutes(2)))
struct RealServerTests {
    struct Account: Sendable {
        let userID: Int64
        let name: String
    }

    static let environment = ProcessInfo.processInfo.environment
    static let transport = NIOTransport()

    static func configuration(userID: Int64? = nil) throws -> ChatConfiguration {
        let system = environment["CHAT_SYSTEM_URL"] ?? ""
        guard let messages = environment["CHAT_MESSAGE_URL"], var sockets = environment["CHAT_WEBSOCKET_URL"] else {
            return try ChatConfiguration(url: system, userID: userID)
        }
        if sockets.hasSuffix("/ws/chat") { sockets.removeLast(8) }
        return try ChatConfiguration(system: system, messages: messages, sockets: sockets, userID: userID)
    }

    static func auth(_ path: String, _ body: JSONValue) async throws -> JSONValue {
        var call = HTTPCall(
            server: try ServerAddress(environment["CHAT_SYSTEM_URL"] ?? ""), path: "/api/v1/auth/" + path)
        call.method = .post
        call.body = body.bytes
        let answer = try await transport.call(call)
        return try JSONParser.parse(answer.body)
    }

    static func register() async throws -> Account {
        let name = "s" + String(UInt64.random(in: 0...UInt64.max), radix: 36)
        let user = try await auth("register", ["username": .string(name), "password": "a long password"])
        return Account(userID: try #require(user["userId"]?.integer), name: name)
    }

    static func client(
        _ account: Account, store: any ChatStore = .memory, transport: any ChatTransport = NIOTransport()
    ) throws -> ChatClient {
        ChatClient(
            core: ChatCore(
                configuration: try configuration(userID: account.userID),
                tokens: { _ in
                    let body: JSONValue = ["username": .string(account.name), "password": "a long password"]
                    let answer = try await auth("login", body)
                    guard let token = answer["accessToken"]?.string else { throw SignedOut() }
                    return token
                }, store: store, transport: transport,
                logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })))
    }

    /// Runs clients for as long as the body takes.
    static func running<Result: Sendable>(
        _ clients: ChatClient..., body: @escaping @Sendable () async throws -> Result
    ) async throws -> Result {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for client in clients { group.addTask { try await client.run() } }
            defer { group.cancelAll() }
            return try await body()
        }
    }

    @Test func `a message reaches the other once and the list counts it`() async throws {
        let (alice, bob) = (try await Self.register(), try await Self.register())
        let (a, b) = (try Self.client(alice), try Self.client(bob))
        try await Self.running(a, b) {
            let room = try await a.createRoom(name: "R", type: "group", memberIDs: [bob.userID])
            for await list in b.roomLists where list.contains(where: { $0.roomID == room.roomID }) { break }
            let reading = Task {
                var texts: [String] = []
                for try await event in b.room(room.roomID).events(after: 0) {
                    if case .message(let message) = event { texts.append(message.text ?? "") }
                    if texts.count == 200 { break }
                }
                return texts
            }
            for number in 0..<100 { _ = a.room(room.roomID).post(MessageContent(text: "\(number)")) }
            let last = try await a.room(room.roomID).send("last")
            #expect(last.seq == 101)
            for number in 101..<200 { try await a.room(room.roomID).send("\(number)") }
            let value1 = try await reading.value
            let expected: [String] = (0..<200).map { $0 == 100 ? "last" : String($0) }
            #expect(value1 == expected)
            for await list in b.roomLists where list.first?.unreadCount == 200 { break }
            await b.room(room.roomID).markRead()
            for await list in b.roomLists where list.first?.unreadCount == 0 && list.first?.lastReadSeq == 200 { break }
        }
    }

    @Test func `the room shows edits, deletions and history`() async throws {
        let alice = try await Self.register()
        let a = try Self.client(alice)
        try await Self.running(a) {
            let info = try await a.createRoom(name: "R", type: "private")
            let room = a.room(info.roomID)
            for number in 0..<5 { try await room.send("\(number)") }
            let messages = room.messages
            // Before it is live, the log may begin after the messages sent now, which only `loadOlder` would show then.
            for await state in room.states where state == .live { break }
            let sent = try await room.send("five")
            for await shown in messages where shown.items.last?.text == "five" { break }
            try await room.loadOlder(3)
            for await shown in messages where shown.items.count >= 4 { break }
            while messages.value.hasMore { try await room.loadOlder(3) }
            #expect(messages.value.items.map(\.text) == ["0", "1", "2", "3", "4", "five"])
            _ = try await room.edit(sent.messageID, ["text": "six"])
            try await room.delete(try #require(messages.value.items.first?.message?.messageID))
            for await shown in messages
            where shown.items.last?.text == "six" && shown.items.first?.message?.isDeleted == true { break }
        }
    }

    @Test func `a store of files carries over to the next life`() async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("chat-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let (alice, bob) = (try await Self.register(), try await Self.register())
        let b = try Self.client(bob)
        let first = try Self.client(alice, store: .file(folder))
        let id = try await Self.running(first, b) {
            let info = try await b.createRoom(name: "R", type: "group", memberIDs: [alice.userID])
            let messages = first.room(info.roomID).messages
            for await state in first.room(info.roomID).states where state == .live { break }
            try await b.room(info.roomID).send("one")
            for await shown in messages where shown.items.count == 1 { break }
            return info.roomID
        }
        // Not running: it is stored, and sent by the next client.
        let post = first.room(id).post("from a former life", key: "k1")
        try await post.kept()
        #expect(post.state == .queued)
        try await Self.running(b) {
            for number in 0..<300 { _ = b.room(id).post(MessageContent(text: "missed \(number)")) }
            try await b.room(id).send("missed last")
        }
        let second = try Self.client(alice, store: .file(folder))
        try await Self.running(second) {
            let messages = second.room(id).messages
            // Each is announced on its own.
            for await shown in messages
            where shown.items.count == 303 && shown.items.allSatisfy({ $0.message != nil }) { break }
            for await posts in second.outbox where posts.isEmpty { break }
            for await list in second.roomLists where list.first?.lastSeq == 303 { break }
            let items = messages.value.items
            #expect(items.first?.text == "one")
            #expect(items.filter { $0.key == "own:k1" }.count == 1)
        }
    }

    @Test func `a named reader goes on where it was`() async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("chat-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let alice = try await Self.register()
        let a = try Self.client(alice, store: .file(folder))
        try await Self.running(a) {
            let info = try await a.createRoom(name: "R", type: "private")
            let room = a.room(info.roomID)
            for number in 1...10 { try await room.send("\(number)") }
            let start = LogPosition(seq: 0)
            var seen: [Int64] = []
            for try await event in room.events(as: "invoicer", after: start) {
                seen.append(event.seq)
                await #expect(throws: ChatError.self) {
                    for try await _ in a.room(info.roomID).events(as: "invoicer") { break }
                }
                if seen.count == 4 { break }
            }
            // The last one was not dealt with, as far as anybody can tell.
            var again: [Int64] = []
            for try await event in room.events(as: "invoicer") {
                again.append(event.seq)
                if again.count == 7 { break }
            }
            #expect(again == [4, 5, 6, 7, 8, 9, 10])
        }
    }

    @Test func `another log ends a reader`() async throws {
        let alice = try await Self.register()
        let a = try Self.client(alice)
        try await Self.running(a) {
            let info = try await a.createRoom(name: "R", type: "private")
            try await a.room(info.roomID).send("one")
            let error = await #expect(throws: ChatError.self) {
                for try await _ in a.room(info.roomID).events(after: 1, mark: "otherlog") { break }
            }
            #expect(error?.code == .logMismatch)
        }
    }

    @Test func `an event stream gives the same frames`() async throws {
        let alice = try await Self.register()
        let body: JSONValue = ["username": .string(alice.name), "password": "a long password"]
        let token = try #require(try await Self.auth("login", body)["accessToken"]?.string)
        let addresses = try Self.configuration()
        guard case .three(_, _, let sockets) = addresses.servers else { return }
        let request = ConnectionRequest(
            kind: .eventStream, server: sockets, path: "/sse/user", headers: [("authorization", "Bearer \(token)")])
        let (frames, received) = AsyncStream.makeStream(of: String.self)
        let (output, closing) = AsyncStream.makeStream(of: ConnectionOutput.self)
        async let end = Self.transport.connect(request, output: output) { inputs in
            for case .frame(let text, _) in inputs { received.yield(text) }
        }
        var types: [String] = []
        for await text in frames {
            types.append(try JSONValue(parsing: text)["eventType"]?.string ?? "")
            if types.last == "synced" { break }
        }
        closing.yield(.close(code: 1000))
        _ = await end
        #expect(types == ["ready", "rooms", "synced"])
    }
}
