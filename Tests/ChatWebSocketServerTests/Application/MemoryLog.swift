import ChatEventBus
import ChatEvents
import ChatStorage
import ChatTestSupport
import CommonAuth
import CommonUtil
import Logging
import NIOCore
import Synchronization

@testable import ChatWebSocketServer

let noLogger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

/// A room's log in memory, and the list of rooms of every user, which is empty at first.
final class MemoryLog: RoomLog, RoomDirectory, UserDirectory {
    private let log: Mutex<[MessageEvent]>
    private let userRooms = Mutex<(list: RoomList, rooms: [ListedRoom])>(
        (RoomList(version: 0, cursorState: .none, entries: [], removed: []), []))
    /// The cursor of each read.
    let reads = EventCollector<Seq>()

    init(_ events: [MessageEvent] = []) { log = Mutex(events) }

    func replace(by events: [MessageEvent]) { log.withLock { $0 = events } }

    /// Sets what is read of users' rooms.
    func setUserRooms(_ list: RoomList, _ rooms: [ListedRoom]) { userRooms.withLock { $0 = (list, rooms) } }

    func events(of roomID: RoomID, after seq: Seq, limit: Int) async throws -> EventPage {
        let events = log.withLock { $0 }
        let later = events.filter { $0.seq ?? 0 > seq }
        reads.append(seq)
        return EventPage(
            events: Array(later.prefix(limit)), hasMore: later.count > limit, mark: events.last { $0.seq == seq }?.mark)
    }

    func positions(at asked: [(roomID: RoomID, seq: Seq)]) async throws -> [LogPosition?] {
        let events = log.withLock { $0 }
        return asked.map { _, seq in
            LogPosition(
                head: events.last?.seq ?? 0, headMark: events.last?.mark, mark: events.last { $0.seq == seq }?.mark)
        }
    }

    /// Number of ``interrupt()`` so far.
    private let interruptionCount = Atomic(0)
    var interruptions: Int { interruptionCount.load(ordering: .relaxed) }

    /// Counts an interruption of the way to the log.
    func interrupt() { interruptionCount.add(1, ordering: .relaxed) }

    func heads(of roomIDs: [RoomID]) async throws -> [RoomID: Seq] {
        let head = log.withLock { $0.last?.seq } ?? 0
        return Dictionary(uniqueKeysWithValues: roomIDs.map { ($0, head) })
    }

    func authorizations(for asked: [RoomAccessQuery]) async throws -> [RoomAuthorization?] {
        asked.map { _ in nil }
    }
    func markRead(_ roomID: RoomID, by userID: UserID, upTo seq: Seq) async throws -> ReadReceipt? { nil }
    func makeOpenRoom(_ roomID: RoomID) async throws {}

    func takeSnapshot() async throws -> ListSnapshotID { ListSnapshotID(1) }
    func list(of userID: UserID, since cursor: RoomListCursor?, withSeqAtCursor: Bool) async throws -> RoomList {
        userRooms.withLock { $0.list }
    }
    func rooms(of userID: UserID, in roomIDs: [RoomID]) async throws -> [ListedRoom] {
        userRooms.withLock { $0.rooms.filter { roomIDs.contains($0.roomID) } }
    }
    func readStates(of userID: UserID, in asked: [(roomID: RoomID, upTo: Seq)]) async throws -> [RoomReadState] { [] }
    func versions(of userIDs: [UserID]) async throws -> [UserID: Int64] { [:] }
    func memberships(of userID: UserID) async throws -> UserMemberships { .none }
}

extension Admission where Stage == AdmissionStage.Requested {
    /// A request for ``hall`` by user 7.
    static func requested(lastSeq: Seq? = nil, token: String? = nil) throws -> Self {
        let query = [("roomId", hall.rawValue), ("userId", "7")] + (lastSeq.map { [("lastSeq", "\($0)")] } ?? [])
        return Admission(
            request: try ConnectRequest(query: query.map { (key: $0.0, value: $0.1) }, authMode: .trusted),
            token: token, address: "127.0.0.1", shard: 0)
    }
}

extension Admission where Stage == AdmissionStage.Authenticated {
    static func authenticated(lastSeq: Seq? = nil, slot: Lease = Lease {}) throws -> Self {
        try RequestedAdmission.requested(lastSeq: lastSeq).authenticated(
            as: AuthenticatedUser(userID: UserID(7), tokenExpiresAt: nil), slot: slot)
    }
}

extension Admission where Stage == AdmissionStage.Authorized {
    static func authorized(
        lastSeq: Seq? = nil, head: Seq = 0, headMark: EventMark? = nil, lastMark: EventMark? = nil,
        feed: Lease = Lease {}
    ) throws -> Self {
        let authorization = RoomAuthorization(
            isPublic: true, isMember: true, head: head, headMark: headMark, lastMark: lastMark)
        return try AuthenticatedAdmission.authenticated(lastSeq: lastSeq).authorized(by: authorization, feed: feed)
    }
}

extension UserAdmission {
    /// Of user 7.
    static func admitted(synchronizesAtOnce: Bool) -> UserAdmission {
        UserAdmission(
            user: AuthenticatedUser(userID: UserID(7), tokenExpiresAt: nil), slot: Lease {}, shard: 0,
            synchronizesAtOnce: synchronizesAtOnce)
    }
}

/// Records what a session is sent.
final class RecordingTransport: SessionTransport {
    let frames: EventCollector<ByteBuffer>
    let closes: EventCollector<CloseReason>
    private(set) var bytesWritten = 0
    var isWritable = true
    let queuedBytes = 0
    let format: EventFormat
    private(set) var flushes = 0
    /// Called by a flush, before it returns.
    var onFlush: () -> Void = {}
    /// Called when the session is closed.
    var onClose: () -> Void = {}

    init(
        frames: EventCollector<ByteBuffer> = .init(), closes: EventCollector<CloseReason> = .init(),
        format: EventFormat = .webSocket
    ) {
        self.format = format
        self.frames = frames
        self.closes = closes
    }

    func write(_ frames: ByteBuffer) { self.frames.append(frames) }
    func flush() {
        flushes += 1
        onFlush()
    }
    func send(_ frames: ByteBuffer) { self.frames.append(frames) }
    func close(_ reason: CloseReason) {
        isWritable = false
        onClose()
        // Last: the test may end with it.
        closes.append(reason)
    }
    func ping() {}
    func abort() {}
}
