import NIOConcurrencyHelpers

/// The data that a client stores, in its form and with the rules by which processes share it. Each call is one step of
/// the store.
///
/// A room's log is kept in segments of at most 64 events below a generation that the room's `head` names: the events
/// are the position, so the two cannot disagree, and a reset is one new value of `head`.
struct ClientStorage: Sendable {
    /// Maximum number of rooms whose logs are stored.
    static let maximumRooms = 50
    static let maximumEvents = 1000
    static let maximumBytes = 1 << 20
    static let eventsOfSegment = 64
    static let bytesOfSegment = 128 << 10

    enum Change: Sendable {
        case events(room: String, [ChatEvent])
        case begin(room: String, LogPosition)
        case forget(room: String)
        case list(JSONObject)
        case post(OwnPost, isMoved: Bool)
        case postDone(key: String, StoredPosition?)
        /// The read mark that is to be sent to the server; `nil` once it has it.
        case read(room: String, Int64?)
    }

    struct Outbox: Sendable {
        var posts: [OwnPost] = []
        /// The posts that left it last.
        var done: [DonePost] = []
        /// Whether this client is the one that sends.
        var isSender = true
        /// Keys of entries that could not be read.
        var broken: [String] = []
    }

    /// The outcome of adding a post.
    struct Added: Sendable {
        /// The post that had the key before, if its content is another.
        var conflict: OwnPost?
        /// The outbox, if other processes have changed it.
        var outbox: Outbox?
        var isSender = true
    }

    /// The outcome of a change of a stored post.
    enum Outcome: Sendable, Equatable {
        /// The payload is that of the store now.
        case done(payload: JSONValue?)
        /// Nothing was changed, since an attempt to send the post was begun, or may have been: it was settled longer ago than
        /// is remembered. Then a post that is not given up is stored again, as one that was tried.
        case tried
        /// Another process has settled the post; the server has it at this position, if any.
        case gone(StoredPosition?)
        /// The same of a post whose own state was to be stored.
        case storedAgain
    }

    struct Contents: Sendable {
        var list: JSONValue?
        var positions: [String: LogPosition] = [:]
        var reads: [String: Int64] = [:]
        var outbox = Outbox()
    }

    let store: any ChatStore
    /// `v1/<system server>/<user>/`, so that another server, user or format has keys of its own.
    let prefix: String
    /// Identifies this client's leases among those of others.
    let instance: String
    /// The store's keys of the posts that were seen last, by their own keys.
    let places = NIOLockedValueBox<[String: String]>([:])

    // MARK: Reading

    /// - Parameter isRunning: whether this client can send, and so may take the right to.
    func load(isRunning: Bool) async throws -> Contents {
        try await store.step { [self] step in
            var contents = Contents()
            contents.list = try json(step, "list")
            for room in try askedRooms(step) {
                if let head = try head(step, room) { contents.positions[room] = try position(step, room, head) }
            }
            for key in try step.keys(withPrefix: prefix + "read/") {
                if let seq = try step.value(key).flatMap({ try? JSONParser.parse($0).integer }) {
                    contents.reads[String(key.dropFirst(prefix.count + 5))] = seq
                }
            }
            // Versions before kept a value for each post that another process had sent.
            for key in try step.keys(withPrefix: prefix + "done/") { step.set(key, nil) }
            contents.outbox = try outbox(&step, isRunning: isRunning)
            return contents
        }
    }

    /// The kept events of a room's log, up to a position.
    func events(of room: String, through: LogPosition) async throws -> [ChatEvent] {
        try await store.step { [self] step in
            guard let head = try head(step, room) else { return [] }
            var events: [ChatEvent] = []
            for key in try step.keys(withPrefix: segments(room, head)) {
                for event in try segment(step, key) where event.seq <= through.seq {
                    // A segment before it could not be read: without a gap, the log begins here.
                    if let last = events.last, event.seq != last.seq + 1 { events = [] }
                    events.append(event)
                }
            }
            return events.last?.position == through ? events : []
        }
    }

    // MARK: Writing

    /// Makes all changes or none.
    func keep(_ changes: [Change]) async throws {
        guard !changes.isEmpty else { return }
        try await store.step { [self] step in
            for change in changes { try apply(change, &step) }
        }
    }

    /// Marks a room as asked for.
    /// - Returns: the rooms whose logs are no longer stored, since others were asked for after them.
    func ask(for room: String) async throws -> [String] {
        try await store.step { [self] step in
            var rooms = try askedRooms(step)
            guard rooms.first != room else { return [] }
            rooms.removeAll { $0 == room }
            rooms.insert(room, at: 0)
            let surplus = Array(rooms.dropFirst(Self.maximumRooms))
            for room in surplus { try apply(.forget(room: room), &step) }
            set(&step, "asked", .array(rooms.prefix(Self.maximumRooms).map(JSONValue.string)))
            return surplus
        }
    }

    /// Deletes everything of the user.
    /// - Throws: ``ChatError`` with code `unsent`.
    func forget(evenUnsent: Bool) async throws {
        try await store.step { [self] step in
            guard try evenUnsent || step.keys(withPrefix: prefix + "outbox/").isEmpty else {
                throw ChatError(.unsent, "There are posts that are not sent")
            }
            for key in try step.keys(withPrefix: prefix) { step.set(key, nil) }
        }
    }

    // MARK: Steps

    func apply(_ change: Change, _ step: inout ChatStoreStep) throws {
        switch change {
        case .events(let room, let events): try append(events, room, &step)
        case .begin(let room, let position):
            let old = try head(step, room)
            if let old, old.from == position { return }
            try begin(room, position, after: old, &step)
        case .forget(let room):
            for key in try step.keys(withPrefix: prefix + "room/\(room)/") { step.set(key, nil) }
        case .list(let list): set(&step, "list", .object(list))
        case .post(let post, let isMoved):
            var key = try entry(step, post.key)
            if isMoved, let old = key {
                step.set(old, nil)
                key = nil
            }
            step.set(try key ?? newEntry(step, post.key), JSONValue.object(post.kept).bytes)
        case .postDone(let key, let place):
            guard let entry = try entry(step, key) else { return }
            step.set(entry, nil)
            try addDone(DonePost(key: key, place: place), &step)
        case .read(let room, let seq): step.set(prefix + "read/\(room)", seq.map { JSONValue($0).bytes })
        }
    }

    private func append(_ events: [ChatEvent], _ room: String, _ step: inout ChatStoreStep) throws {
        guard var head = try head(step, room), let first = events.first else { return }
        let known = try position(step, room, head)
        let isOther = events.contains { $0.seq == known.seq && $0.mark != known.mark }
        var new = events.filter { $0.seq > known.seq }[...]
        if isOther { new = events[...] }
        guard let next = new.first else { return }
        if isOther || next.seq != known.seq + 1 {
            // Another process has stored another log, or less: the part that is known for certain begins with these
            // events.
            head = try begin(room, LogPosition(seq: first.seq - 1), after: head, &step)
            new = events[...]
        }
        let folder = segments(room, head)
        var keys = try step.keys(withPrefix: folder)
        var last = try keys.last.map { ($0, try segment(step, $0)) }
        while !new.isEmpty {
            var (key, content) = last ?? ("", [])
            let size = try key.isEmpty ? 0 : step.value(key)?.count ?? 0
            if key.isEmpty || content.count >= Self.eventsOfSegment || size >= Self.bytesOfSegment {
                let seq = String(new.first?.seq ?? 0)
                key = folder + String(repeating: "0", count: 16 - seq.count) + seq
                content = []
                keys.append(key)
            }
            content += new.prefix(Self.eventsOfSegment - content.count)
            new = new.dropFirst(content.count - (last?.0 == key ? last?.1.count ?? 0 : 0))
            step.set(key, JSONValue.array(content.map { .object($0.json) }).bytes)
            last = (key, content)
        }
        try trim(keys, &step)
    }

    private func trim(_ keys: [String], _ step: inout ChatStoreStep) throws {
        guard keys.count > 1 else { return }
        var (events, bytes) = (0, 0)
        for (index, key) in keys.reversed().enumerated() {
            events += Self.eventsOfSegment
            bytes += try step.value(key)?.count ?? 0
            if index > 0, events > Self.maximumEvents + Self.eventsOfSegment || bytes > Self.maximumBytes {
                step.set(key, nil)
            }
        }
    }

    // MARK: Logs

    struct Head: Sendable {
        let generation: Int64
        let from: LogPosition
    }

    private func head(_ step: ChatStoreStep, _ room: String) throws -> Head? {
        guard let value = try json(step, "room/\(room)/head"), let generation = value["generation"]?.integer,
            let from = LogPosition(json: value["from"])
        else { return nil }
        return Head(generation: generation, from: from)
    }

    @discardableResult
    private func begin(
        _ room: String, _ position: LogPosition, after old: Head?, _ step: inout ChatStoreStep
    ) throws -> Head {
        if let old { for key in try step.keys(withPrefix: segments(room, old)) { step.set(key, nil) } }
        let head = Head(generation: (old?.generation ?? 0) &+ 1, from: position)
        set(
            &step, "room/\(room)/head",
            ["generation": JSONValue(head.generation), "from": .object(position.json)])
        return head
    }

    private func position(_ step: ChatStoreStep, _ room: String, _ head: Head) throws -> LogPosition {
        guard let key = try step.keys(withPrefix: segments(room, head)).last else { return head.from }
        return try segment(step, key).last?.position ?? head.from
    }

    private func segments(_ room: String, _ head: Head) -> String { prefix + "room/\(room)/\(head.generation)/" }

    /// A segment that cannot be read counts as absent.
    private func segment(_ step: ChatStoreStep, _ key: String) throws -> [ChatEvent] {
        guard let bytes = try step.value(key), let items = try? JSONParser.parse(bytes).array else { return [] }
        return items.compactMap { $0.object.flatMap(ChatEvent.init(json:)) }
    }

    private func askedRooms(_ step: ChatStoreStep) throws -> [String] {
        try json(step, "asked")?.array?.compactMap(\.string) ?? []
    }

    // MARK: Values

    func json(_ step: ChatStoreStep, _ key: String) throws -> JSONValue? {
        try step.value(prefix + key).flatMap { try? JSONParser.parse($0) }
    }

    func set(_ step: inout ChatStoreStep, _ key: String, _ value: JSONValue?) { step.set(prefix + key, value?.bytes) }
}
