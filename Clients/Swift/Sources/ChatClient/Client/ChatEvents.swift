/// The events of a room's log, each once, in order, none missing, at the pace of the consumer: at most 256 live events
/// are held in memory, the rest is read from the log when it is needed.
///
/// It ends when the room is no longer the user's, after the last event that may be read, or when the client is closed.
/// Each iterator reads for itself, and continues after network failures.
public struct ChatEvents: AsyncSequence, Sendable {
    /// An event.
    public typealias Element = ChatEvent

    enum Start: Sendable {
        case now
        case after(LogPosition)
        case name(String, LogPosition?)
    }

    let core: ChatCore
    let roomID: String
    let start: Start

    /// A reader of its own.
    public func makeAsyncIterator() -> Iterator {
        Iterator(reading: ReadingEvents(core: core, roomID: roomID, start: start))
    }

    /// Reads the log for one consumer.
    public struct Iterator: AsyncIteratorProtocol {
        let reading: ReadingEvents

        /// The next event; `nil` at the end or when the task is cancelled.
        ///
        /// For a named reader, this call says that the event before was processed.
        /// - Throws: ``ChatError`` with code `log_mismatch` if the server has another log, `in_use` if another reader
        ///   has the name, and the server's code if it refuses the position for good.
        public mutating func next() async throws -> ChatEvent? { try await reading.next() }
    }
}

/// One reader, from its first `next()` until nobody refers to it.
final class ReadingEvents: Sendable {
    private let core: ChatCore
    private let roomID: String
    private let start: ChatEvents.Start
    private let id: String
    private let feed: EventFeed
    private let hasBegun: LatestValue<Bool>
    /// The position of the last event that was delivered, which is stored when the next one is requested.
    private let given = LatestValue<LogPosition?>(nil)
    private let hasEnded = LatestValue(false)

    init(core: ChatCore, roomID: String, start: ChatEvents.Start) {
        (self.core, self.roomID, self.start) = (core, roomID, start)
        id = core.instance + "." + String(UInt64.random(in: 0...UInt64.max), radix: 36)
        core.feeds.begin(id)
        let reader: Reader? =
            switch start {
            case .now: Reader(head: core.head(of: roomID))
            case .after(let position): Reader(after: position)
            case .name: nil
            }
        feed = EventFeed(roomID: roomID, id: id, reader: reader ?? Reader(head: nil))
        hasBegun = LatestValue(reader != nil)
        if reader != nil { goLive() }
    }

    deinit {
        core.feeds.end(id)
        core.feeds.remove(feed)
        if case .name(let name, _) = start {
            let (core, roomID, id) = (core, roomID, id)
            Task { await core.releaseName(name, roomID: roomID, reader: id) }
        }
    }

    func next() async throws -> ChatEvent? {
        guard !hasEnded.value else { return nil }
        do {
            if !hasBegun.value { try await begin() }
            if case .name(let name, _) = start, let position = given.value {
                try await core.moveName(name, roomID: roomID, reader: id, to: position)
            }
            let event = try await feed.next { [core, roomID] position in
                try await core.events(of: roomID, after: position)
            } onBegin: { [self] position in
                guard case .name(let name, _) = start else { return }
                try await core.moveName(name, roomID: roomID, reader: id, to: position)
            } random: {
                .random(in: 0..<1)
            }
            guard let event else {
                await end()
                return nil
            }
            given.set(event.position)
            return event
        } catch {
            await end()
            if error is CancellationError { return nil }
            throw error
        }
    }

    /// Takes the name, and begins at its stored position.
    private func begin() async throws {
        guard case .name(let name, let position) = start else { return }
        let kept = try await core.takeName(name, roomID: roomID, reader: id)
        hasBegun.set(true)
        if let begin = kept ?? position { feed.begin(after: begin) }
        goLive()
        if let position = feed.position {
            try await core.moveName(name, roomID: roomID, reader: id, to: position)
        }
    }

    /// Gives the feed the events from now on. Events that came after the head was read and before the feed was added do
    /// not reach it, so the head is read once more afterwards.
    private func goLive() {
        core.feeds.add(feed)
        if feed.position == nil, let head = core.head(of: roomID) { feed.head(head) }
        if let position = feed.position, let head = core.head(of: roomID), head.seq > position.seq { feed.missed() }
    }

    private func end() async {
        hasEnded.set(true)
        core.feeds.end(id)
        core.feeds.remove(feed)
        if case .name(let name, _) = start { await core.releaseName(name, roomID: roomID, reader: id) }
    }
}
