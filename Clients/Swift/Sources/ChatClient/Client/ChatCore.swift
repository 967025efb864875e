import Logging

/// Owns the state of a client. Each input is processed completely before the next: first by the state machines, then by
/// the store. Only then are results delivered.
actor ChatCore {
    /// Work that has to wait for something, which the tasks of `run()` do.
    enum Effect: Sendable {
        case token(TokenReason, call: Int)
        case open(Connection.Transport, id: Int, AsyncStream<ConnectionOutput>, ended: AsyncStream<Void>)
        case send(OwnPost)
        /// A call whose response shows whether the servers can be reached.
        case checkREST
        /// A call whose response shows whether the message server fails at every call.
        case probe(room: String)
        case wake(at: Int64)
        case read(room: String, seq: Int64)
        /// Asks for the place that a deleted message had in the log.
        case locate(RoomList.Deletion)
    }

    /// A result that is delivered once everything before it is in the store.
    enum Delivery: Sendable {
        case event(ChatEvent)
        case connection(ConnectionStatus)
        case notice(room: String, RoomNotice)
        case roomState(room: String, RoomState)
        case head(room: String, LogPosition)
        /// The list is the server's.
        case listCurrent
        case missed(room: String)
        case resetFeeds(room: String)
        case removedFeeds(room: String)
    }

    nonisolated let configuration: ChatConfiguration
    nonisolated let tokens: (@Sendable (TokenReason) async throws -> String)?
    nonisolated let transport: any ChatTransport
    nonisolated let store: FallbackStore
    nonisolated let logger: Logger
    nonisolated let random: RandomSource
    /// Tells this client's leases and posts from those of others on the same store.
    nonisolated let instance: String

    nonisolated let states = LatestValue(ConnectionStatus.initial)
    nonisolated let roomLists = LatestValue<[RoomInfo]>([])
    /// Whether the list in `roomLists` has come from the server, and not only from the store of an earlier process.
    nonisolated let isListCurrent = LatestValue(false)
    nonisolated let outboxes = LatestValue<[OwnPost]>([])
    nonisolated let errors: Broadcast<ChatError>
    nonisolated let feeds = EventFeeds()
    nonisolated let sources = AllRoomSources()
    /// Held while an input is processed.
    nonisolated let inputMutex = AsyncMutex()
    nonisolated let commands = CommandQueue()
    /// Objects of the application that follow posts which are on their way.
    nonisolated let posts = PostObjects()
    /// Number of times that `run()` has ended.
    nonisolated let ends = LatestValue(0)

    var connection: Connection
    var list: RoomList
    var outbox: Outbox
    var rooms: [String: CoreRoom] = [:]
    /// `nil` until the user is known.
    var storage: ClientStorage?

    var effects: AsyncStream<Effect>.Continuation?
    /// Whether `run()` has ended, and not begun again.
    var hasRun = false
    /// Due time of the earliest `wake` under way.
    var wakeAt: Int64?
    /// The connection whose inputs count.
    var link: ConnectionLink?
    /// An event stream with a new token, which replaces `link` once it is open.
    var successor: ConnectionLink?
    var linkCount = 0
    /// Rooms in which the server continues from the positions that it got for this connection; `nil` means all.
    var named: Set<String>?

    var token: String?
    var refusedToken: String?
    var tokenCall = 0
    var waitingForToken: [Int: CheckedContinuation<Void, Never>] = [:]
    var nextWaiter = 0
    var knownAddresses: ServerAddresses?
    var addressesEnd = Int64.max

    var changes: [ClientStorage.Change] = []
    var deliveries: [Delivery] = []
    var changedRooms: Set<String> = []
    var isListChanged = false

    /// Posts that were made before the user was known.
    var postsWithoutUser: [OwnPost] = []
    /// Messages of own posts, by key, from the server's response or the log, until the outbox reports the post as
    /// stored.
    var storedMessages: [String: Message] = [:]
    var discards: [String: [CheckedContinuation<Bool, Never>]] = [:]
    var readMarks: ReadMarks
    var openRooms = OpenRooms()
    /// Deleted messages about which the server is still to be asked, one after the other.
    var deletions: [RoomList.Deletion] = []
    var holdsSender = false
    var names: [String: (name: String, room: String)] = [:]
    var clockOffset: Int64?

    init(
        configuration: ChatConfiguration, tokens: (@Sendable (TokenReason) async throws -> String)?,
        store: any ChatStore, transport: any ChatTransport, logger: Logger,
        random: @escaping RandomSource = { .random(in: 0..<1) }
    ) {
        self.configuration = configuration
        self.tokens = tokens
        self.transport = transport
        self.logger = logger
        self.random = random
        let errors = Broadcast<ChatError>(capacity: 64)
        self.errors = errors
        self.store = FallbackStore(store) { error in
            logger.warning("The store failed", metadata: ["reason": "\(error.message)"])
            errors.send(error)
        }
        instance = String(UInt64.random(in: 0...UInt64.max), radix: 36)
        connection = Connection(
            now: System.monotonicClock, userID: configuration.userID, needsToken: tokens != nil, random: random)
        list = RoomList(userID: configuration.userID)
        outbox = Outbox(now: System.monotonicClock, random: random)
        readMarks = ReadMarks(now: System.monotonicClock)
        _ = outbox.hold()
    }

    // MARK: Inputs

    /// Adds a command of a call that does not wait. Commands run in the order of the calls, whichever task is first.
    nonisolated func command(_ command: @escaping CommandQueue.Command) {
        commands.add(command)
        Task { await input { _ in } }
    }

    /// Processes an input completely: no other input is processed meanwhile, although this one waits for the store.
    func input(_ body: @Sendable (isolated ChatCore) async -> Void) async {
        await inputMutex.lock()
        await timePassed()
        for command in commands.take() { await command(self) }
        await body(self)
        await flush()
        schedule()
        inputMutex.unlock()
    }

    /// Stores the changes, then delivers the results that waited for that.
    func flush() async {
        if !changes.isEmpty {
            let changes = changes
            self.changes = []
            do {
                try await storage?.keep(changes)
            } catch {
                report(error)
            }
        }
        // The list first: a consumer that sees `live` sees the list that came with it, and a reader that begins now
        // begins either before an event and gets it, or after it.
        if isListChanged {
            isListChanged = false
            roomLists.set(list.rooms)
        }
        for room in changedRooms { publishMessages(room) }
        changedRooms = []
        let deliveries = deliveries
        self.deliveries = []
        for delivery in deliveries { deliver(delivery) }
    }

    private func deliver(_ delivery: Delivery) {
        switch delivery {
        case .event(let event): for feed in feeds.of(event.roomID) { feed.event(event) }
        case .connection(let status): states.set(status)
        case .notice(let room, let notice): rooms[room]?.sources.notices.send(notice)
        case .roomState(let room, let state):
            rooms[room]?.sources.states.set(state)
            rooms[room]?.sources.changes.set(())
        case .head(let room, let head): for feed in feeds.of(room) { feed.head(head) }
        case .listCurrent:
            isListCurrent.set(true)
            // Feeds that were made after the list came and before it was published, and so found no head.
            for feed in feeds.all where feed.position == nil {
                if let head = head(of: feed.roomID) { feed.head(head) }
            }
        case .missed(let room): for feed in feeds.of(room) { feed.missed() }
        case .resetFeeds(let room): for feed in feeds.of(room) { feed.reset() }
        case .removedFeeds(let room): for feed in feeds.of(room) { feed.removed() }
        }
    }

    func publishMessages(_ id: String) {
        guard let room = rooms[id], let timeline = room.log.timeline else { return }
        room.sources.messages.set(
            RoomMessages(
                items: timeline.messages, hasMore: timeline.hasMore, isAtEnd: timeline.isAtEnd,
                newerCount: timeline.newerCount))
        room.sources.changes.set(())
    }

    /// Schedules a wake-up for the next deadline.
    func schedule() {
        guard let effects else { return }
        let deadlines = [connection.nextDeadline, outbox.nextDeadline, readMarks.nextDeadline]
        guard let next = deadlines.compactMap({ $0 }).min() else { return }
        if let wakeAt, wakeAt <= next { return }
        wakeAt = next
        effects.yield(.wake(at: next))
    }

    func wake(at time: Int64) async { await input { core in if core.wakeAt == time { core.wakeAt = nil } } }

    /// Part of each input, since the machines count their deadlines from the time that they know.
    private func timePassed() async {
        let now = System.monotonicClock
        await handle(connection.timePassed(now))
        await handle(outbox.timePassed(now))
        send(readMarks.timePassed(now))
    }

    func report(_ error: any Error) {
        let error = error as? ChatError ?? ChatError(.storeFailed, "\(error)", cause: error)
        logger.warning("\(error.code.rawValue)", metadata: ["reason": "\(error.message)"])
        errors.send(error)
    }

    // MARK: The user's data

    /// Prefix of the store's keys, so that another server or another format has keys of its own.
    nonisolated var storePrefix: String {
        let server = configuration.servers.system
        return "v1/\(server.host):\(server.port)\(server.path.percentEncoded)/"
    }

    /// Restores the stored data of a user.
    func adopt(_ userID: Int64) async {
        guard storage == nil else { return }
        let storage = ClientStorage(store: store, prefix: "\(storePrefix)\(userID)/", instance: instance)
        self.storage = storage
        list.userID = userID
        do {
            let contents = try await storage.load(isRunning: canSend)
            if let kept = contents.list { list.restore(kept) }
            for (id, position) in contents.positions { room(id).log = newLog(position) }
            // Rooms may have been marked as read before the user was known.
            for (id, seq) in readMarks.all where seq > contents.reads[id] ?? 0 {
                changes.append(.read(room: id, seq))
            }
            readMarks.restore(contents.reads)
            for (id, seq) in readMarks.all { list.read(id, through: seq) }
            await apply(contents.outbox)
        } catch {
            report(error)
        }
        isListChanged = true
        for id in rooms.keys where rooms[id]?.isWanted == true { await open(id) }
        let waiting = postsWithoutUser
        postsWithoutUser = []
        for post in waiting { await add(post) }
    }

    func newLog(_ position: LogPosition? = nil) -> RoomLog {
        RoomLog(userID: list.userID, keep: configuration.keptMessages, position: position)
    }

    /// The room, made on first use.
    @discardableResult
    func room(_ id: String) -> CoreRoom {
        if let room = rooms[id] { return room }
        let room = CoreRoom(log: newLog(), sources: sources.of(id))
        rooms[id] = room
        return room
    }

    // MARK: Rooms

    /// Begins to keep the messages of a room.
    func open(_ id: String) async {
        let room = room(id)
        room.isWanted = true
        guard let storage, room.log.timeline == nil else { return }
        do {
            for surplus in try await storage.ask(for: id) where surplus != id {
                // Its log is no longer stored, so the part in memory would not be continued.
                if rooms[surplus]?.log.timeline == nil { rooms[surplus]?.log = newLog() }
            }
            if let position = room.log.position {
                let events = try await storage.events(of: id, through: position)
                room.log.load(from: position.seq - Int64(events.count), events)
            }
        } catch {
            report(error)
        }
        handle(room.log.open(head: list.head(id)), of: id)
        // During a sync it is known only at its end that the position is the head.
        let isSyncing = connection.state == .syncing
        if isSyncing || connection.state == .live { handle(room.log.syncing(isNamed: isSyncing), of: id) }
        setPosts(of: id)
        changedRooms.insert(id)
    }

    func handle(_ actions: [RoomLog.Action], of id: String) {
        for action in actions {
            switch action {
            case .keep(let event): keep(event, of: id)
            case .begin(let position):
                changes.append(.begin(room: id, position))
                setPosts(of: id)
            case .forget: changes.append(.forget(room: id))
            case .state(let state): deliveries.append(.roomState(room: id, state))
            case .event: changedRooms.insert(id)
            case .signal(let frame): deliveries.append(.notice(room: id, .signal(RoomSignal(json: frame))))
            case .gap: break
            case .reset(let position, let lost):
                deliveries.append(.notice(room: id, .reset(position, lost: lost)))
                changedRooms.insert(id)
            case .skipped(let after, let through):
                deliveries.append(.notice(room: id, .skipped(after: after, through: through)))
                changedRooms.insert(id)
            case .gone:
                deliveries.append(.notice(room: id, .gone))
                changedRooms.insert(id)
            }
        }
    }

    /// Events of one room that come together are stored together.
    private func keep(_ event: ChatEvent, of id: String) {
        if case .events(id, let events)? = changes.last {
            changes[changes.count - 1] = .events(room: id, events + [event])
        } else {
            changes.append(.events(room: id, [event]))
        }
    }

    func setPosts(of id: String) {
        guard let room = rooms[id], room.log.timeline != nil else { return }
        let through = room.log.position?.seq ?? 0
        room.stored.removeAll { ($0.seq ?? 0) <= through }
        room.log.timeline?.setPosts(room.stored + outbox.posts.filter { $0.roomID == id })
        changedRooms.insert(id)
    }
}
