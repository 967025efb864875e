import ChatEvents
import ChatTestSupport
import CommonUtil
import Logging
import PostgresClient
import ServiceLifecycle
import Testing

@testable import ChatStorage

/// Says nothing: outages are what some tests are about.
let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

/// A client of a database, and everything that is built on it.
struct Store: Sendable {
    let url: String
    let client: PostgresClient
    let users: UserRepository
    let tokens: RefreshTokenRepository
    let signIns: SignInRepository
    let rooms: RoomRepository
    let marks: ReadMarks
    let messages: MessageRepository
    let log: EventLog
    let lists: RoomListRepository

    init(url: String, client: PostgresClient) {
        self.url = url
        self.client = client
        let database = ChatDatabase(client)
        users = UserRepository(database)
        tokens = RefreshTokenRepository(database)
        signIns = SignInRepository(database)
        rooms = RoomRepository(database)
        marks = ReadMarks(rooms: rooms, authMode: .token)
        messages = MessageRepository(database)
        log = EventLog(database)
        lists = RoomListRepository(database)
    }
}

/// Runs a client as a service for the time of `body`.
func withClient<Result: Sendable>(
    _ url: String, _ configure: (inout PostgresConfiguration) -> Void = { _ in },
    _ body: (PostgresClient) async throws -> Result
) async throws -> Result {
    var configuration = try PostgresConfiguration(url: url)
    configuration.maximumConnections = 4
    configuration.queryTimeout = .seconds(20)
    configuration.sessionSettings = PostgresClient.steadyPlans
    configure(&configuration)
    let client = PostgresClient(configuration: configuration, logger: quiet)
    return try await whileRunning {
        try await client.run()
    } _: {
        try await body(client)
    }
}

/// Runs `body` on a migrated database of its own, a few tests at a time.
func withStore<Result: Sendable>(_ body: (Store) async throws -> Result) async throws -> Result {
    try await slots.withSlot {
        let url = try await SharedEngines.database()
        return try await withClient(url) { client in
            try await ChatSchema.migrate(client)
            return try await body(Store(url: url, client: client))
        }
    }
}

private let slots = TestSlots(8)

/// Runs a message writer for the time of `body`, and then stops it gracefully.
@discardableResult
func withWriter<Result: Sendable>(
    _ client: PostgresClient, isOpen: Bool = false, limits: MessageWriter.Limits = .init(),
    onCommit: @escaping @Sendable ([RoomEvent]) -> Void = { _ in },
    _ body: (MessageWriter) async throws -> Result
) async throws -> Result {
    let writer = MessageWriter(
        client: client, isOpen: isOpen, limits: limits, logger: quiet, onCommit: { onCommit($0.map(\.event)) })
    return try await running(writer) { try await body(writer) }
}

extension MessageWriter.Limits {
    /// - Parameter validatedSpan: 0 where no batch is validated before it has been refused.
    init(validatedSpan: Int) {
        self.init()
        self.validatedSpan = validatedSpan
    }
}

/// Runs a service for the time of `body`, and then stops it gracefully.
func running<Result: Sendable>(_ service: some Service, _ body: () async throws -> Result) async throws -> Result {
    let group = ServiceGroup(services: [service], logger: quiet)
    return try await whileRunning({ try await group.run() }, stop: { await group.triggerGracefulShutdown() }, body)
}

extension PostgresClient {
    /// Runs SQL text without parameters.
    func script(_ sql: String) async throws {
        try await withConnection { session in try await session.execute(script: sql) }
    }

    func number(_ sql: String, _ parameters: PostgresParameter...) async throws -> Int {
        try #require(try await query(PostgresStatement(sql), parameters).first).decode(Int.self)
    }

    /// Returns when so many sessions of this database wait for a lock. PostgreSQL has no event for that.
    func waitForBlockedSessions(_ count: Int) async throws {
        let deadline = ContinuousClock.now + .seconds(15)
        while try await number(Self.blockedSessions) < count {
            try #require(ContinuousClock.now < deadline, "nobody waits for a lock")
            try await Task.sleep(for: .milliseconds(2))
        }
    }

    private static let blockedSessions = """
        SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
        """
}

// MARK: Reading

extension RoomReading {
    /// `nil` where the reader was not let in.
    var items: [Item]? { if case .items(let items) = self { items } else { nil } }
}

/// As the rooms' first member reads.
extension MessageRepository {
    func message(_ messageID: MessageID) async throws -> Message? { try await message(messageID, for: ann) }

    func history(of roomID: RoomID, before: Seq?, after: Seq?, limit: Int) async throws -> (
        messages: [Message], hasMore: Bool
    ) {
        let fetched = try await history(of: roomID, for: ann, before: before, after: after, limit: limit + 1)
        let messages = try #require(fetched.items)
        return (Array(messages.prefix(limit)), messages.count > limit)
    }
}

// MARK: Rooms and posts

/// The users of these tests. Nobody needs to be registered.
let ann = UserID(1)
let bob = UserID(2)
let cid = UserID(3)

extension RoomID {
    static let hall = RoomID(verified: "hall")
    static let attic = RoomID(verified: "attic")
    static let cellar = RoomID(verified: "cellar")
}

extension Store {
    /// A room that must not exist yet; the first member owns it.
    @discardableResult
    func makeRoom(
        _ roomID: RoomID = .hall, _ type: RoomType = .group, name: String? = nil, members: [UserID] = [ann, bob]
    ) async throws -> Room {
        try #require(
            try await rooms.insert(
                roomID, name: name ?? roomID.rawValue, type: type, ownerID: members.first, memberIDs: members)
        ).room
    }

    /// Edits a message's text, as its sender.
    @discardableResult
    func edit(_ message: Message, to text: String) async throws -> Message {
        try await changeMessage(message) { room, message in
            try await room.edit(message, to: #"{"text":"\#(text)"}"#, by: message.senderID)
        }
    }

    func delete(_ message: Message, by actorID: UserID? = nil) async throws {
        try await changeMessage(message) { try await $0.delete($1, by: actorID ?? $1.senderID) }
    }

    private func changeMessage<Result: Sendable>(
        _ message: Message, _ body: @escaping @Sendable (inout LockedRoom, Message) async throws -> Result
    ) async throws -> Result {
        let changed = try await rooms.withLockedRoom(message.roomID) { room in
            let current = try await room.message(message.messageID)
            return try await body(&room, current ?? message)
        }
        return try #require(changed).result
    }
}

func draft(
    _ text: String = "Hello", by sender: UserID = ann, in roomID: RoomID = .hall, replyTo: MessageID? = nil,
    key: String? = nil
) -> MessageDraft {
    MessageDraft(
        roomID: roomID, senderID: sender, type: .text, contentJSON: #"{"text":"\#(text)"}"#, replyToMessageID: replyTo,
        clientMessageID: key)
}

extension PostOutcome {
    var stored: Message? { if case .stored(let posted) = self { posted.message } else { nil } }
    var repeated: Message? { if case .repeated(let message) = self { message } else { nil } }
    var refusal: PostRefusal? { if case .refused(let refusal) = self { refusal } else { nil } }
}

extension MessageWriter {
    /// A post that must be stored.
    @discardableResult
    func mustStore(_ draft: MessageDraft) async throws -> Message {
        try #require(try await post(draft).stored)
    }
}

extension RoomEvent {
    var message: Message? { change.message }
}

extension Message {
    /// The event of its posting.
    var event: RoomEvent { RoomEvent(roomID: roomID, seq: seq, change: .message(self)) }
}
