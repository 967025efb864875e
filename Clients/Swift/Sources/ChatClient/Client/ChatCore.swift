import Logging

/// The one place where a client's state is. Each input is taken in as a whole before the next: in the machines, then in the
/// store, and only then is anything handed on.
actor ChatCore {
    /// Work that waits; done by the tasks of `run()`.
    enum Effect: Sendable {
        case token(TokenReason, call: Int)
        case open(Connection.Transport, id: Int, AsyncStream<ConnectionOutput>, ended: AsyncStream<Void>)
        case send(OwnPost)
        /// A call whose answer tells whether the servers can be reached.
        case checkREST
        case probe
        case wake(at: Int64)
        case read(room: String, seq: Int64)
        /// Asks where the log had a message that was deleted.
        case locate(RoomList.Deletion)
    }

    /// What is handed on once everything before it is kept.
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
    /// Whether the list in `roomLists` has come from the server, and not only from what a former process kept.
    nonisolated let isListCurrent = LatestValue(false)
    nonisolated let outboxes = LatestValue<[OwnPost]>([])
    nonisolated let errors: Broadcast<ChatError>
    nonisolated let feeds = EventFeeds()
    nonisolated let sources = AllRoomSources()
    nonisolated let turn = Turn()
    nonisolated let commands = Commands()
    /// Objects of the application that follow posts which are on their way.
    nonisolated let posts = PostObjects()
    /// How often `run()` has ended.
    nonisolated let ends = LatestValue(0)

    var connection: Connection
    var list: RoomList
    var outbox: Outbox
    var rooms: [String: CoreRoom] = [:]
    /// `nil` until it is known whose data these are.
    var keeper: Keeper?

    var effects: AsyncStream<Effect>.Continuation?
    /// Whether `run()` has ended, and not begun again.
    var hasRun = false
    /// When the earliest `wake` under way is due.
    var wakeAt: Int64?
    var output: AsyncStream<ConnectionOutput>.Continuation?
    var ended: AsyncStream<Void>.Continuation?
    var connectionID = 0

    var token: String?
    var refusedToken: String?
    var tokenCall = 0
    var waitingForToken: [Int: CheckedContinuation<Void, Never>] = [:]
    var nextWaiter = 0
    var knownAddresses: ServerAddresses?

    var changes: [Keeper.Change] = []
    var deliveries: [Delivery] = []
    var changedRooms: Set<String> = []
    var isListChanged = false

    /// Posts that came before it was known whose they are.
    var early: [OwnPost] = []
    var answers: [String: Message] = [:]
    var discards: [String: [CheckedContinuation<Bool, Never>]] = [:]
    /// Read marks that the server does not have yet.
    var reads: [String: Int64] = [:]
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
        _ = outbox.hold()
    }

    // MARK: Inputs

    /// Takes in what a call wants that does not wait: in the order of the calls, whichever task is first.
    nonisolated func command(_ command: @escaping Commands.Command) {
        commands.add(command)
        Task { await input { _ in } }
    }

    /// Takes an input in as a whole: nothing else happens in between, although it waits for the store.
    func input(_ body: @Sendable (isolated ChatCore) async -> Void) async {
        await turn.take()
        for command in commands.take() { await command(self) }
        await body(self)
        await flush()
        schedule()
        turn.leave()
    }

    /// Keeps what is to be kept, and hands on what waited for it.
    func flush() async {
        if !changes.isEmpty {
            let changes = changes
            self.changes = []
            do {
                try await keeper?.keep(changes)
            } catch {
                report(error)
            }
        }
        // The list first: who sees `live` sees the list that came with it; and a reader that begins now begins either before
        // an event and is given it, or behind it.
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
            // Those that were made since it came, and found no head of it yet.
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

    /// Sees to it that somebody looks again when the next deadline is due.
    func schedule() {
        guard let effects else { return }
        guard let next = [connection.nextDeadline, outbox.nextDeadline].compactMap({ $0 }).min() else { return }
        if let wakeAt, wakeAt <= next { return }
        wakeAt = next
        effects.yield(.wake(at: next))
    }

    func timePassed(wake: Int64) async {
        await input { core in
            if core.wakeAt == wake { core.wakeAt = nil }
            let now = System.monotonicClock
            await core.handle(core.connection.timePassed(now))
            await core.handle(core.outbox.timePassed(now))
        }
    }

    func report(_ error: any Error) {
        let error = error as? ChatError ?? ChatError(.storeFailed, "\(error)", cause: error)
        logger.warning("\(error.code.rawValue)", metadata: ["reason": "\(error.message)"])
        errors.send(error)
    }

    // MARK: Whose data these are

    /// What the store's keys begin with: another server or format never meets it.
    nonisolated var storePrefix: String {
        let server = configuration.servers.system
        return "v1/\(server.host):\(server.port)\(server.path.percentEncoded)/"
    }

    /// Takes up what is kept of a user.
    func adopt(_ userID: Int64) async {
        guard keeper == nil else { return }
        let keeper = Keeper(store: store, prefix: "\(storePrefix)\(userID)/", instance: instance)
        self.keeper = keeper
        list.userID = userID
        do {
            let contents = try await keeper.load(isRunning: effects != nil)
            if let kept = contents.list { list.restore(kept) }
            for (id, position) in contents.positions { room(id).log = newLog(position) }
            // Rooms may have been marked as read before it was known whose marks these are.
            for (id, seq) in reads where seq > contents.reads[id] ?? 0 { changes.append(.read(room: id, seq)) }
            reads.merge(contents.reads) { max($0, $1) }
            for (id, seq) in reads { list.read(id, through: seq) }
            await take(contents.outbox)
        } catch {
            report(error)
        }
        isListChanged = true
        for id in rooms.keys where rooms[id]?.isWanted == true { await open(id) }
        let early = early
        self.early = []
        for post in early { await add(post) }
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

    /// Begins to hold a room's messages.
    func open(_ id: String) async {
        let room = room(id)
        room.isWanted = true
        guard let keeper, room.log.timeline == nil else { return }
        do {
            for surplus in try await keeper.ask(for: id) where surplus != id {
                // Its log is no longer kept; what is in memory of it would not be continued.
                if rooms[surplus]?.log.timeline == nil { rooms[surplus]?.log = newLog() }
            }
            if let position = room.log.position {
                let events = try await keeper.events(of: id, through: position)
                room.log.load(from: position.seq - Int64(events.count), events)
            }
        } catch {
            report(error)
        }
        handle(room.log.open(head: list.head(id)), of: id)
        if connection.state == .live { handle(room.log.syncing(isNamed: false), of: id) }
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

    /// Events of one room that come together are kept together.
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
