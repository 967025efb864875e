import CommonAuth
import CommonUtil
import DequeModule
import NIOCore

/// Those at the policy who are let in or not by what the database says of their room. All who came while it was busy with
/// the last question share the next one: ten thousand sockets that come back at once are a few dozen queries, and
/// nothing is cached: each is told what holds now.
///
/// Lives on the event loop of the feeds, so that opening a feed, and telling it a head, is a call and no hop.
final class AdmissionQueue: Sendable {
    /// A visitor of whom all is known but the room.
    struct Knock: Sendable {
        let visitor: AdmissionService.Visitor
        let user: AuthenticatedUser?
        let place: Lease
        let answer: AdmissionService.Answer
    }

    private struct Waiting: Sendable {
        let knock: Knock
        let feed: Lease
        var hasMadeRoom = false
        /// What was sent of the room before the log was asked for its head.
        var sent: Seq?

        var roomID: RoomID { knock.visitor.request.roomID }
    }

    private struct State {
        var waiting: Deque<Waiting> = []
        /// All who have no answer yet.
        var count = 0
        var isAsking = false
    }

    private static let capacity = 65_536
    private static let batchSize = 512

    private let authMode: AuthMode
    private let directory: any RoomDirectory
    private let broadcast: WebSocketBroadcastService
    private let sessions: ChatRoomSessionManager
    private let eventLoop: any EventLoop
    private let state: NIOLoopBoundBox<State>

    init(
        authMode: AuthMode, directory: any RoomDirectory, broadcast: WebSocketBroadcastService,
        sessions: ChatRoomSessionManager
    ) {
        self.authMode = authMode
        self.directory = directory
        self.broadcast = broadcast
        self.sessions = sessions
        eventLoop = broadcast.eventLoop
        state = .makeBoxSendingValue(State(), eventLoop: eventLoop)
    }

    /// Answers when the room's entry is known. To be called on any event loop.
    func append(_ knock: Knock) {
        if eventLoop.inEventLoop { take(knock) } else { eventLoop.execute { self.take(knock) } }
    }

    private func take(_ knock: Knock) {
        state.value.count += 1
        guard state.value.count <= Self.capacity else {
            return answer([(knock, .failure(CloseReason(.tryAgainLater, "too many are waiting")))])
        }
        let request = knock.visitor.request
        // Open first, ask then: what is published in between waits in the feed.
        let (feed, isFollowed) = broadcast.open(request.roomID, shard: knock.visitor.shard)
        isFollowed.assumeIsolated().whenComplete { _ in self.wait(Waiting(knock: knock, feed: feed)) }
    }

    private func wait(_ waiting: Waiting) {
        state.value.waiting.append(waiting)
        askSoon()
    }

    /// Those who come in the same turn of the event loop are asked for together.
    private func askSoon() {
        guard !state.value.isAsking, !state.value.waiting.isEmpty else { return }
        state.value.isAsking = true
        eventLoop.execute { self.ask() }
    }

    private func ask() {
        let batch = state.value.waiting.prefix(Self.batchSize).map { waiting in
            var waiting = waiting
            waiting.sent = broadcast.position(of: waiting.roomID)
            return waiting
        }
        state.value.waiting.removeFirst(batch.count)
        let asked = batch.map { (roomID: $0.roomID, userID: $0.knock.user?.userID) }
        eventLoop.makeFutureWithTask { [directory] in
            try await directory.entries(asked)
        }.assumeIsolated().whenComplete { entries in
            self.state.value.isAsking = false
            self.askSoon()
            self.decide(batch, entries)
        }
    }

    private func decide(_ batch: [Waiting], _ entries: Result<[RoomEntry?], any Error>) {
        guard case .success(let entries) = entries else { return answer(batch.map { ($0.knock, .unavailable) }) }
        var verdicts: [(Knock, AdmissionService.Verdict)] = []
        verdicts.reserveCapacity(batch.count)
        for (waiting, entry) in zip(batch, entries) {
            if entry == nil, authMode == .trusted, !waiting.hasMadeRoom {
                makeRoom(for: waiting)
            } else {
                verdicts.append((waiting.knock, verdict(on: waiting, entry)))
            }
        }
        answer(verdicts)
    }

    private func verdict(on waiting: Waiting, _ entry: RoomEntry?) -> AdmissionService.Verdict {
        let visitor = waiting.knock.visitor
        do throws(CloseReason) {
            let head = try RoomEntry.check(entry, lastSeq: visitor.request.lastSeq, authMode: authMode).head
            broadcast.attach(waiting.roomID, shard: visitor.shard, head: head, sent: waiting.sent)
            return .success(
                AdmissionService.Admission(
                    request: visitor.request, user: waiting.knock.user, head: head, shard: visitor.shard,
                    leases: (feed: waiting.feed, place: waiting.knock.place)))
        } catch {
            return .failure(error)
        }
    }

    private func makeRoom(for waiting: Waiting) {
        eventLoop.makeFutureWithTask { [directory] in
            try await directory.makeOpenRoom(waiting.roomID)
        }.assumeIsolated().whenComplete { made in
            guard case .success = made else { return self.answer([(waiting.knock, .unavailable)]) }
            var waiting = waiting
            waiting.hasMadeRoom = true
            self.wait(waiting)
        }
    }

    /// One hop to each event loop for all who live there.
    private func answer(_ verdicts: [(Knock, AdmissionService.Verdict)]) {
        state.value.count -= verdicts.count
        for (shard, verdicts) in Dictionary(grouping: verdicts, by: \.0.visitor.shard) {
            sessions.run(onShard: shard) {
                for (knock, verdict) in verdicts { knock.answer(verdict) }
            }
        }
    }
}

extension AdmissionService.Verdict {
    fileprivate static let unavailable = Self.failure(
        CloseReason(.tryAgainLater, "the service is not available right now"))
}
