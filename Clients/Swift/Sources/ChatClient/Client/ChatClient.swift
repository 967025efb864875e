import Logging
import NIOConcurrencyHelpers
import NIOSSL

/// A user's connection to a chat: lists the rooms, delivers their events, and sends each message exactly once.
///
/// ```swift
/// let client = try ChatClient(ChatConfiguration(url: "https://chat.example.org"), tokens: { _ in try await signIn() })
/// async let running: Void = client.run()
/// try await client.room("lobby").send("Hello")
/// ```
///
/// Everything that needs the network waits for ``run()``.
public final class ChatClient: Sendable {
    let core: ChatCore
    private let rooms = NIOLockedValueBox<[String: ChatRoom]>([:])

    /// Creates a client; it does nothing before ``run()``.
    /// - Parameters:
    ///   - configuration: the addresses of the servers, and limits.
    ///   - tokens: returns an access token within 30 s. It throws ``SignedOut`` if nobody is signed in; any other error
    ///     is temporary.
    ///   - store: the storage of data that must outlive the client; several clients and processes may share one.
    ///   - tls: settings for `https`, such as further certificate authorities.
    public convenience init(
        _ configuration: ChatConfiguration, tokens: @escaping @Sendable (TokenReason) async throws -> String,
        store: any ChatStore = .memory, tls: TLSConfiguration? = nil,
        logger: Logger = Logger(label: "chat-client", factory: { _ in SwiftLogNoOpLogHandler() })
    ) {
        self.init(
            core: ChatCore(
                configuration: configuration, tokens: tokens, store: store, transport: NIOTransport(tls: tls),
                logger: logger))
    }

    /// Creates a client for servers in `trusted` mode, which accept a user id without a token.
    /// - Parameter userID: the user.
    public convenience init(
        _ configuration: ChatConfiguration, trustedUser userID: Int64, store: any ChatStore = .memory,
        tls: TLSConfiguration? = nil,
        logger: Logger = Logger(label: "chat-client", factory: { _ in SwiftLogNoOpLogHandler() })
    ) {
        var configuration = configuration
        configuration.userID = userID
        self.init(
            core: ChatCore(
                configuration: configuration, tokens: nil, store: store, transport: NIOTransport(tls: tls),
                logger: logger))
    }

    init(core: ChatCore) { self.core = core }

    /// Connects, and stays connected until the task is cancelled. All work of the client has ended when this returns.
    /// Posts that are kept in the store and not sent yet are sent by the next run.
    /// - Throws: ``ChatError`` with code `in_use` if it runs already.
    public func run() async throws { try await core.run() }

    /// Connects at once if the client is waiting for its next attempt.
    public func retryNow() async { await core.input { core in await core.handle(core.connection.retryNow()) } }

    /// To be called when the network is available again: tests the connection, or reconnects, at once.
    public func networkIsBack() async {
        await core.input { core in
            core.dropIdleConnections()
            await core.handle(core.connection.online())
            await core.handle(core.outbox.wake())
        }
    }

    /// Deletes all stored data of this user. The client must not be running.
    /// - Parameter evenUnsent: whether posts that are not sent are given up, too.
    /// - Throws: ``ChatError`` with code `unsent`, or `in_use` if it runs.
    public func forget(evenUnsent: Bool = false) async throws { try await core.forget(evenUnsent: evenUnsent) }

    // MARK: State

    /// The states of the connection.
    public var connectionStates: LatestValues<ConnectionStatus> { LatestValues(source: core.states) }
    /// The user's rooms, newest activity first.
    public var roomLists: LatestValues<[RoomInfo]> { LatestValues(source: core.roomLists) }
    /// Posts of all rooms that are not stored by the server yet, or were refused, including those of an earlier
    /// process.
    public var outbox: LatestValues<[OwnPost]> { LatestValues(source: core.outboxes) }

    /// Returns the object that follows a post of the outbox, also for a post of an earlier process.
    public func post(withKey key: String) -> Post? {
        guard let post = core.outboxes.value.first(where: { $0.key == key }) else { return nil }
        return core.posts.object(for: post) { Post(post, core: core) }.0
    }

    /// Errors that no call reports, such as a store that fails or a token callback that fails. A consumer that is too
    /// slow loses the oldest errors.
    public func errors() -> AsyncStream<ChatError> { core.errors.consume() }

    /// Whether stored data outlive the process.
    public var isStorageLasting: Bool { core.store.isLasting }

    /// A room: the same object for the same id, whether or not there is such a room.
    public func room(_ id: String) -> ChatRoom {
        rooms.withLockedValue { rooms in
            if let known = rooms[id] { return known }
            let room = ChatRoom(id: id, core: core)
            rooms[id] = room
            return room
        }
    }

    // MARK: Calls

    /// The user.
    public func profile() async throws -> UserProfile {
        let json = try await core.rest(.get, .system, "/api/v1/users/me")
        return try Self.read(json, UserProfile.init(json:))
    }

    /// The profile of any user, such as the sender of a message.
    /// - Throws: ``ChatError``, with status 404 if there is no such user.
    public func user(_ id: Int64) async throws -> UserProfile {
        try Self.read(try await core.rest(.get, .system, "/api/v1/users/\(id)"), UserProfile.init(json:))
    }

    /// Creates a room.
    /// - Parameter type: `direct`, `group`, `public` or `private`.
    public func createRoom(
        name: String? = nil, type: String, roomID: String? = nil, memberIDs: [Int64] = []
    ) async throws -> RoomInfo {
        var body: JSONObject = ["type": .string(type)]
        if let name { body["name"] = .string(name) }
        if let roomID { body["roomId"] = .string(roomID) }
        if !memberIDs.isEmpty { body["memberIds"] = .array(memberIDs.map { JSONValue($0) }) }
        return try Self.read(try await core.rest(.post, .system, "/api/v1/rooms", .object(body)), RoomInfo.init(json:))
    }

    /// Joins a public room.
    public func joinRoom(_ id: String) async throws -> RoomInfo {
        let json = try await core.rest(.post, .system, "/api/v1/rooms/\(id.percentEncoded)/join")
        return try Self.read(json, RoomInfo.init(json:))
    }

    /// Finds public rooms by the beginning of any word of their names.
    public func findRooms(_ query: String, cursor: String? = nil) async throws -> Page<RoomInfo> {
        try await page("/api/v1/rooms/public?query=\(query.percentEncoded)", cursor, RoomInfo.init(json:))
    }

    /// Finds users by their names.
    public func findUsers(_ query: String, cursor: String? = nil) async throws -> Page<UserProfile> {
        try await page("/api/v1/users?query=\(query.percentEncoded)", cursor, UserProfile.init(json:))
    }

    /// Uploaded files, in the order of the ids, without those that the user may not see; at most 100. Their addresses
    /// are valid for an hour.
    public func files(_ ids: [String]) async throws -> [StoredFile] { try await core.files(ids) }

    private func page<Item: Sendable>(
        _ path: String, _ cursor: String?, _ read: (JSONObject) -> Item?
    ) async throws -> Page<Item> {
        try await core.page(path, cursor, read)
    }

    static func read<Value>(_ json: JSONValue, _ read: (JSONObject) -> Value?) throws -> Value {
        guard let value = json.object.flatMap(read) else {
            throw ChatError(.protocol, "The answer is not by the contract")
        }
        return value
    }
}

extension ChatCore {
    /// One part of a list.
    nonisolated func page<Item: Sendable>(
        _ path: String, _ cursor: String?, _ read: (JSONObject) -> Item?
    ) async throws -> Page<Item> {
        var path = path
        if let cursor { path += (path.contains("?") ? "&" : "?") + "cursor=\(cursor.percentEncoded)" }
        let json = try await rest(.get, .system, path)
        let items = (json["items"]?.array ?? []).compactMap { $0.object.flatMap(read) }
        return Page(items: items, nextCursor: json["nextCursor"]?.string)
    }
}
