import ChatEvents
import ChatStorage
import CommonUtil
import NIOCore

/// What a session of a user has beside its subscriptions. Confined to the session's event loop.
final class UserSession {
    /// Rooms whose events without a `seq` a client may ask for at a time.
    static let maximumOpenRooms = 50
    /// Least interval between two cursors, in frames of a WebSocket.
    static let cursorInterval = TimeAmount.seconds(10)

    /// One for each room of the user.
    private(set) var subscriptions = RoomTable<RoomSubscription>()
    /// Subscriptions whose `caught_up` has to be sent before `synced`.
    private(set) var awaitedCount = 0
    /// Whether `synced` was sent.
    private(set) var isSynced = false
    /// The cursor of `synced`, once everything else that comes before it was sent or is on its way.
    var syncedCursor: RoomListCursor?
    /// The last snapshot of which everything was sent to this event loop.
    var latestSnapshot: ListSnapshotID?
    /// Whether something was sent since the last cursor.
    var hasNews = false
    /// Whether something was written that is not flushed yet.
    var isUnflushed = false
    private var openRooms: Set<RoomID> = []
    private var lastCursor = NIODeadline.uptimeNanoseconds(0)
    /// Succeed when the socket takes more.
    private var writableWaiters: [EventLoopPromise<Void>] = []
    /// Informs the user's feed that the session has lost a room.
    let onRoomLost: (RoomID, RoomLoss) -> Void

    /// Why the session has lost a room.
    enum RoomLoss: Sendable {
        /// The membership ended, and `room_removed` was sent.
        case removed
        /// The room's log was set back. What comes of it is not decided yet.
        case reset
    }

    init(onRoomLost: @escaping (RoomID, RoomLoss) -> Void) { self.onRoomLost = onRoomLost }

    // MARK: Subscriptions

    func insert(_ subscription: RoomSubscription) {
        subscriptions.insert(subscription)
        if subscription.isAwaited { awaitedCount += 1 }
        subscription.isOpen = openRooms.contains(subscription.roomID)
    }

    func remove(_ roomID: RoomID) {
        guard let subscription = subscriptions.remove(roomID) else { return }
        openRooms.remove(roomID)
        settle(subscription)
    }

    /// Notes that nothing is to be waited for any more: the subscription has caught up, or is gone.
    func settle(_ subscription: RoomSubscription) {
        guard subscription.isAwaited else { return }
        subscription.isAwaited = false
        awaitedCount -= 1
    }

    func removeAll() {
        subscriptions = RoomTable()
        openRooms = []
        for waiter in writableWaiters { waiter.fail(ChannelError.ioOnClosedChannel) }
        writableWaiters = []
    }

    // MARK: Events without a seq

    /// Lets a room's events without a `seq` be sent.
    /// - Throws: `room_not_found`, `too_many_open`.
    func open(_ roomID: RoomID) throws(FrameError) {
        let subscription = try self.subscription(roomID)
        guard openRooms.contains(roomID) || openRooms.count < Self.maximumOpenRooms else {
            throw FrameError(.tooManyOpen, "at most \(Self.maximumOpenRooms) rooms are open at a time")
        }
        openRooms.insert(roomID)
        subscription.isOpen = true
    }

    /// Ends what ``open(_:)`` began.
    /// - Throws: `room_not_found`.
    func close(_ roomID: RoomID) throws(FrameError) {
        try subscription(roomID).isOpen = false
        openRooms.remove(roomID)
    }

    /// The subscription of a room that a client names.
    /// - Throws: `room_not_found` if the room is not the user's.
    @discardableResult
    func subscription(_ roomID: RoomID) throws(FrameError) -> RoomSubscription {
        guard let subscription = subscriptions[roomID] else {
            throw FrameError(.roomNotFound, "there is no such room among those of this user")
        }
        return subscription
    }

    // MARK: Cursors

    /// The cursor of `synced`, once its time has come.
    func takeSyncedCursor(now: NIODeadline) -> RoomListCursor? {
        guard !isSynced, awaitedCount == 0, let cursor = syncedCursor.take() else { return nil }
        isSynced = true
        cursorSent(now)
        return cursor
    }

    /// The snapshot of a cursor that is due: everything visible in it was sent.
    /// - Parameter interval: least time since the last cursor.
    func takeSnapshot(isCaughtUp: Bool, interval: TimeAmount, now: NIODeadline) -> ListSnapshotID? {
        guard isSynced, isCaughtUp, hasNews, now - lastCursor >= interval, let snapshot = latestSnapshot.take() else {
            return nil
        }
        cursorSent(now)
        return snapshot
    }

    private func cursorSent(_ now: NIODeadline) {
        hasNews = false
        lastCursor = now
    }

    // MARK: Writability

    /// Succeeds when the socket takes more; fails when the session has ended.
    func whenWritable(_ transport: any SessionTransport, on eventLoop: any EventLoop) -> EventLoopFuture<Void> {
        guard !transport.isWritable else { return eventLoop.makeSucceededVoidFuture() }
        let promise = eventLoop.makePromise(of: Void.self)
        writableWaiters.append(promise)
        return promise.futureResult
    }

    /// The socket has become writable.
    func becameWritable() {
        let waiters = writableWaiters
        writableWaiters = []
        for waiter in waiters { waiter.succeed() }
    }
}
