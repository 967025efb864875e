import ChatEvents
import ChatStorage
import CommonUtil
import NIOCore

/// The sessions of users: their updates by ``UserSessionUpdater``, and the end of their rooms.
extension SessionShard {
    /// Registers a session of a user and sends it `ready`.
    /// - Parameter ready: the first bytes that the session gets.
    func register(userSession session: ChatSession, ready: ByteBuffer) {
        insert(session)
        session.transport.send(ready)
    }

    /// Sends a session something about its user's rooms.
    func send(_ event: UserSessionEvent, to session: ChatSession) {
        fanOut.send(session.format.encode(event), to: session)
    }

    /// Begins in a room that the session was sent, after the head that it was sent.
    func subscribe(_ session: ChatSession, to room: ListedRoom) {
        subscribe(
            session, to: room.roomID, SessionCursor(admissionHead: room.lastSeq, lastSeq: nil, mark: room.mark),
            readSeq: room.lastReadSeq)
        advance(session)
    }

    /// Begins in a room. What is missing is sent by ``SessionShard/advance(_:)``.
    /// - Parameters:
    ///   - readSeq: the user's read mark, as the session knows it.
    ///   - isAwaited: whether `synced` waits for the cursor to catch up.
    func subscribe(
        _ session: ChatSession, to roomID: RoomID, _ cursor: SessionCursor, readSeq: Seq, isAwaited: Bool = false
    ) {
        guard !session.hasEnded, let user = session.user, user.subscriptions[roomID] == nil else { return }
        let subscription = RoomSubscription(session: session, roomID: interned(roomID), cursor: cursor)
        subscription.readSeq = readSeq
        subscription.isAwaited = isAwaited
        session.insert(subscription)
        if !begin(subscription) { logWasSetBack(subscription) }
    }

    /// Ends a session's subscription to a room.
    /// - Returns: whether there was one.
    func unsubscribe(_ session: ChatSession, from roomID: RoomID) -> Bool {
        guard let subscription = session.user?.subscriptions[roomID] else { return false }
        end(subscription)
        settle(session)
        return true
    }

    private func end(_ subscription: RoomSubscription) {
        fanOut.move(subscription) { $0.end() }
        subscription.room?.remove(subscription)
        subscription.session.remove(subscription)
    }

    /// The user of a subscription is no longer a member of its room.
    func membershipEnded(_ subscription: RoomSubscription, by event: MessageEvent) {
        let session = subscription.session
        guard let user = session.user, !session.hasEnded else { return }
        end(subscription)
        let reason: UserSessionEvent.RemovalReason = event.actorID == session.userID ? .left : .removed
        send(.roomRemoved(subscription.roomID, reason), to: session)
        settle(session)
        user.onRoomLost(subscription.roomID, .removed)
    }

    /// The log of a subscription's room was set back.
    func logWasSetBack(_ subscription: RoomSubscription) {
        let session = subscription.session
        guard let user = session.user else {
            return session.transport.close(CloseReason(.aheadOfLog, "the room's log was set back"))
        }
        // It stays the session's, so that it is found by `open` and `read`; it is sent nothing.
        fanOut.move(subscription) { $0.end() }
        subscription.room?.remove(subscription)
        session.dequeue(subscription)
        user.onRoomLost(subscription.roomID, .reset)
    }

    // MARK: Cursors

    /// Sends `synced`, once all that has to come before it was sent.
    func settle(_ session: ChatSession) {
        guard let user = session.user, !session.hasEnded, let cursor = user.takeSyncedCursor(now: eventLoop.now) else {
            return
        }
        send(.synced(cursor: cursor.text), to: session)
        user.hasNews = false
    }

    /// Takes a snapshot of which everything was sent to this event loop.
    func offer(_ snapshotID: ListSnapshotID, to session: ChatSession) {
        session.user?.latestSnapshot = snapshotID
        offerCursor(to: session)
    }

    /// Sends the sessions of users the cursors that are due.
    func offerCursors() {
        for session in sessions where session.user != nil { offerCursor(to: session) }
    }

    private func offerCursor(to session: ChatSession) {
        // An event stream that breaks is resumed at its last cursor, so it gets them as often as there are any.
        let interval = session.format == .webSocket ? UserSession.cursorInterval : .zero
        guard let user = session.user, let userID = session.userID, !session.hasEnded, session.transport.isWritable,
            let snapshotID = user.takeSnapshot(
                isCaughtUp: session.catchingUpCount == 0, interval: interval, now: eventLoop.now)
        else { return }
        send(.cursor(RoomListCursor(userID: userID, snapshotID: snapshotID).text), to: session)
        user.hasNews = false
    }
}
