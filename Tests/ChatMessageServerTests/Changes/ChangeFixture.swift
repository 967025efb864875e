import ChatEvents
import ChatStorage
import ChatTestSupport
import CommonUtil
import Logging
import PostgresClient
import ServiceLifecycle
import Testing

@testable import ChatMessageServer

/// The feed of changes on a database of its own, in this process.
struct ChangeFixture: Sendable {
    static let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    static let ann = UserID(1)

    let client: PostgresClient
    let writer: MessageWriter
    let rooms: RoomRepository
    let sequence: ChangeSequenceRepository
    let repository: ChangeRepository
    let watch: ChangeFeedWaiter
    var service: ChangeService

    static func run(_ body: (ChangeFixture) async throws -> Void) async throws {
        var configuration = try PostgresConfiguration(url: try await SharedEngines.database())
        configuration.maximumConnections = 6
        let client = PostgresClient(configuration: configuration, logger: quiet)
        let writer = MessageWriter(client: client, isOpen: false, logger: quiet, onCommit: { _ in })
        let database = ChatDatabase(client)
        let repository = ChangeRepository(database)
        let watch = ChangeFeedWaiter(interval: .milliseconds(10)) { try await repository.head() }
        let fixture = ChangeFixture(
            client: client, writer: writer, rooms: RoomRepository(database),
            sequence: ChangeSequenceRepository(database), repository: repository, watch: watch,
            service: ChangeService(repository: repository, watch: watch))
        try await running([client, writer]) {
            try await ChatSchema.migrate(client)
            try await body(fixture)
        }
    }

    /// Runs services for the time of `body`, and then stops them gracefully.
    static func running(_ services: [any Service], _ body: () async throws -> Void) async throws {
        let group = ServiceGroup(services: services, logger: quiet)
        try await whileRunning({ try await group.run() }, stop: { await group.triggerGracefulShutdown() }, body)
    }

    func makeRoom(_ name: String) async throws {
        _ = try #require(
            try await rooms.insert(
                RoomID(verified: name), name: name, type: .group, ownerID: Self.ann, memberIDs: [Self.ann]))
    }

    func post(_ text: String, in room: String) async throws {
        let outcome = try await writer.post(
            MessageDraft(
                roomID: RoomID(verified: room), senderID: Self.ann, type: .text, contentJSON: #"{"text":"\#(text)"}"#,
                replyToMessageID: nil, clientMessageID: nil))
        guard case .stored = outcome else { throw UnexpectedOutcome(outcome: outcome) }
    }

    struct UnexpectedOutcome: Error {
        let outcome: PostOutcome
    }

    /// Appends what all rooms have.
    func append() async throws {
        try #require(try await sequence.acquire(1, for: .seconds(60)))
        let pending = try await sequence.pending(after: nil, limit: 10_000).pending
        _ = try await sequence.append(pending, holder: 1, extendingBy: .seconds(60))
    }

    // MARK: Reading

    struct Read {
        /// `room/seq` of each event; 0 for the creation.
        var names: [String] = []
        var next = ""
        var hasMore = false
    }

    func read(
        after: String, limit: Int = 100, wait: Duration = .zero, _ filter: ChangeFilter = .all,
        mayWait: @escaping @Sendable () async throws -> Bool = { true }
    ) async throws -> Read {
        let start = try #require(ChangeStart(text: after))
        let page = try await service.changes(
            .init(start: start, filter: filter, limit: limit, wait: wait), mayWait: mayWait)
        let json = try JSON(parsing: page.jsonBytes)
        let names = (json["items"]?.array ?? []).map { item -> String in
            let event = item["event"]
            return "\(event?["roomId"]?.string ?? "?")/\(event?["seq"]?.int ?? 0)"
        }
        let next: String = json["next"]?.string ?? ""
        return Read(names: names, next: next, hasMore: json["hasMore"] == true)
    }

    /// Reads until there is no more.
    func readAll(
        after: String = "begin", limit: Int = 100, _ filter: ChangeFilter = .all
    ) async throws -> (names: [String], pages: Int, next: String) {
        var all = Read(next: after, hasMore: true)
        var pages = 0
        while all.hasMore {
            let read = try await read(after: all.next, limit: limit, filter)
            #expect(read.next != all.next || !read.hasMore, "a reader would read this for ever")
            all = Read(names: all.names + read.names, next: read.next, hasMore: read.hasMore)
            pages += 1
        }
        return (all.names, pages, all.next)
    }
}
