import ChatStorage
import CommonAuth
import CommonUtil
import DequeModule
import NIOCore

/// Authorizes admissions by the database, in batches. Those that arrive during a query share the next one, so ten
/// thousand sockets that return at once need a few dozen queries. Nothing is cached: each admission sees the present
/// state.
///
/// Lives on the feeds' event loop, so that opening a feed and giving it a head are calls and no hops.
final class AdmissionQueue: Sendable {
    /// Called once, on the event loop of the socket.
    typealias Completion = @Sendable (AdmissionResult) -> Void

    private typealias Pending = (admission: AuthenticatedAdmission, completion: Completion)
    private typealias Decision = (pending: Pending, result: AdmissionResult)

    /// An admission whose room has an open feed.
    private struct Entry: Sendable {
        let pending: Pending
        let feed: Lease
        /// Whether the room was made for this admission (`trusted` mode).
        var isRoomCreated = false
        /// The feed's position before the log was read, and the number of interruptions then.
        var sent: FeedPosition?
        var interruptions = 0

        var roomID: RoomID { pending.admission.request.roomID }
    }

    private struct State {
        var waiting: Deque<Entry> = []
        /// Admissions that have no result yet.
        var count = 0
        var isReading = false
    }

    /// Admissions of one query.
    static let batchSize = 512

    private let authMode: AuthMode
    private let directory: any RoomDirectory
    private let feeds: NIOLoopBound<RoomFeeds>
    private let sessions: ChatRoomSessionManager
    private let capacity: Int
    private let state: NIOLoopBoundBox<State>

    /// - Parameter capacity: admissions that may wait at once; further ones are refused.
    init(
        authMode: AuthMode, directory: any RoomDirectory, feeds: NIOLoopBound<RoomFeeds>,
        sessions: ChatRoomSessionManager, capacity: Int = 65_536
    ) {
        self.authMode = authMode
        self.directory = directory
        self.feeds = feeds
        self.sessions = sessions
        self.capacity = capacity
        state = .makeBoxSendingValue(State(), eventLoop: feeds.eventLoop)
    }

    private var eventLoop: any EventLoop { feeds.eventLoop }

    /// Queues an admission. To be called on any event loop.
    func append(_ admission: AuthenticatedAdmission, completion: @escaping Completion) {
        if eventLoop.inEventLoop {
            open((admission, completion))
        } else {
            eventLoop.execute { self.open((admission, completion)) }
        }
    }

    private func open(_ pending: Pending) {
        state.value.count += 1
        guard state.value.count <= capacity else {
            return complete([(pending, .failure(CloseReason(.tryAgainLater, "too many are waiting")))])
        }
        // The feed is opened before the log is read: what is published in between waits in the feed.
        let (feed, isFollowed) = feeds.value.open(pending.admission.request.roomID, shard: pending.admission.shard)
        isFollowed.assumeIsolated().whenComplete { _ in self.enqueue(Entry(pending: pending, feed: feed)) }
    }

    private func enqueue(_ entry: Entry) {
        state.value.waiting.append(entry)
        readSoon()
    }

    // In another turn, so that admissions that come in the same one are read together.
    private func readSoon() {
        guard !state.value.isReading, !state.value.waiting.isEmpty else { return }
        state.value.isReading = true
        eventLoop.execute { self.read() }
    }

    private func read() {
        let batch = state.value.waiting.prefix(Self.batchSize).map { entry in
            var entry = entry
            entry.sent = feeds.value.sent(of: entry.roomID)
            entry.interruptions = feeds.value.interruptions
            return entry
        }
        state.value.waiting.removeFirst(batch.count)
        let asked = batch.map { entry in
            RoomAccessQuery(
                roomID: entry.roomID, userID: entry.pending.admission.stage.user?.userID,
                lastSeq: entry.pending.admission.request.lastSeq, position: entry.sent?.seq)
        }
        eventLoop.makeFutureWithTask { [directory] in
            try await directory.authorizations(for: asked)
        }.assumeIsolated().whenComplete { authorizations in
            self.state.value.isReading = false
            self.readSoon()
            self.decide(batch, authorizations)
        }
    }

    private func decide(_ batch: [Entry], _ authorizations: Result<[RoomAuthorization?], any Error>) {
        guard case .success(let authorizations) = authorizations else {
            return complete(batch.map { ($0.pending, .failure(.unavailable)) })
        }
        var decisions: [Decision] = []
        decisions.reserveCapacity(batch.count)
        for (entry, authorization) in zip(batch, authorizations) {
            if authorization == nil, authMode == .trusted, !entry.isRoomCreated {
                makeRoom(for: entry)
            } else {
                decisions.append((entry.pending, decide(entry, authorization)))
            }
        }
        complete(decisions)
    }

    private func decide(
        _ entry: Entry, _ authorization: RoomAuthorization?
    ) -> AdmissionResult {
        let admission = entry.pending.admission
        do throws(CloseReason) {
            let authorization = try RoomAuthorization.check(
                authorization, lastSeq: admission.request.lastSeq, lastMark: admission.request.lastMark,
                authMode: authMode)
            let reading = LogReading(
                head: authorization.head, headMark: authorization.headMark, sent: entry.sent,
                sentMark: authorization.positionMark, interruptions: entry.interruptions)
            feeds.value.attach(entry.roomID, shard: admission.shard, reading)
            return .success(admission.authorized(by: authorization, feed: entry.feed))
        } catch {
            return .failure(error)
        }
    }

    private func makeRoom(for entry: Entry) {
        eventLoop.makeFutureWithTask { [directory] in
            try await directory.makeOpenRoom(entry.roomID)
        }.assumeIsolated().whenComplete { result in
            guard case .success = result else { return self.complete([(entry.pending, .failure(.unavailable))]) }
            var entry = entry
            entry.isRoomCreated = true
            self.enqueue(entry)
        }
    }

    /// Calls the completions; one hop to each event loop.
    private func complete(_ decisions: [Decision]) {
        state.value.count -= decisions.count
        for (shard, decisions) in Dictionary(grouping: decisions, by: \.pending.admission.shard) {
            sessions.run(onShard: shard) {
                for (pending, result) in decisions { pending.completion(result) }
            }
        }
    }
}

extension CloseReason {
    fileprivate static let unavailable = CloseReason(.tryAgainLater, "the service is not available right now")
}
