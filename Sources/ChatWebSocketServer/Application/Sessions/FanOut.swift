import ChatEvents
import CommonUtil
import NIOCore

// How an event becomes bytes on N sockets:
//
//  1. `MessageEvent` encodes the event once, as a whole WebSocket frame.
//  2. `RoomDispatch` joins all that a room has to send in one turn into one buffer (below, on the feeds' event loop).
//  3. `ChatRoomSessionManager.apply` takes it to each event loop that has sessions of the room; one hop a batch.
//  4. `FanOut.deliver` asks the cursor of each subscription whether the buffer continues where it is, and sends the shared
//     buffer (below, on the sessions' event loop).
//  5. The session's `SessionTransport` offers it to the kernel: for a session of a room at once, for one of a user at the end
//     of the turn, together with what its other rooms have sent.
//
// Step 4 runs once for each session and dispatch, unless its events go one by one: no lock, and for a session of a room no
// allocation and no copy.

/// All that a room has to send in one turn: handed to an event loop once, written to each live session once.
struct RoomDispatch: Sendable {
    let roomID: RoomID
    let events: [MessageEvent]
    /// The frames one after the other: one buffer, shared by every session that gets them all.
    let frames: ByteBuffer
    /// Whether an event ends a membership.
    let endsMemberships: Bool
    /// Whether every session gets every event, so that one buffer serves all.
    let isForAll: Bool
    /// Whether an event has no `seq`, so that only open subscriptions get it.
    let hasEphemeral: Bool

    /// - Parameter events: at least one.
    init(roomID: RoomID, events: [MessageEvent]) {
        self.roomID = roomID
        self.events = events
        frames = Self.joined(events)
        endsMemberships = events.contains { $0.type == .memberLeft }
        isForAll = !endsMemberships && !events.contains { $0.senderSessionID != nil }
        hasEphemeral = events.contains { $0.seq == nil }
    }

    private static func joined(_ events: [MessageEvent]) -> ByteBuffer {
        guard events.count > 1 else { return events.first?.frame ?? ByteBuffer() }
        var joined = ByteBufferAllocator().buffer(capacity: events.reduce(0) { $0 + $1.frame.readableBytes })
        for event in events { joined.writeImmutableBuffer(event.frame) }
        return joined
    }

}

/// A dispatch in the formats of event streams, each event encoded once for all streams that get it.
struct EncodedDispatch {
    let dispatch: RoomDispatch
    private var joined: [EventFormat: ByteBuffer] = [:]
    private var single: [EventFormat: [ByteBuffer?]] = [:]

    init(_ dispatch: RoomDispatch) { self.dispatch = dispatch }

    /// One event.
    mutating func frame(_ index: Int, _ format: EventFormat) -> ByteBuffer {
        guard format != .webSocket else { return dispatch.events[index].frame }
        var frames = single.removeValue(forKey: format) ?? Array(repeating: nil, count: dispatch.events.count)
        let frame = frames[index] ?? format.encode(dispatch.events[index])
        frames[index] = frame
        single[format] = frames
        return frame
    }

    /// All events, one after the other.
    mutating func frames(_ format: EventFormat) -> ByteBuffer {
        if let frames = joined[format] { return frames }
        var frames = ByteBuffer()
        for index in dispatch.events.indices { frames.writeImmutableBuffer(frame(index, format)) }
        joined[format] = frames
        return frames
    }
}

/// Sends frames to the sessions of one event loop, and counts them. Confined to that loop, so that delivering takes no lock.
final class FanOut {
    private let metrics: DeliveryMetrics
    private var unreported = (frames: 0, bytes: 0)
    /// Sessions of users with something written and not flushed, and the dispatches since the first of them.
    private var unflushed: [ChatSession] = []
    private var unflushedDispatches: [RoomDispatch] = []
    /// Called where an event ended the membership of a session's user.
    var onMembershipEnd: (RoomSubscription, MessageEvent) -> Void = { _, _ in }
    /// Called where a session was sent another log than its room has.
    var onOtherLog: (RoomSubscription) -> Void = { _ in }

    init(metrics: DeliveryMetrics) { self.metrics = metrics }

    /// Sends a dispatch to the live subscriptions of its room.
    func deliver(_ dispatch: RoomDispatch, to room: RoomSessions) {
        let before = room.tail.position
        let areNew = room.tail.append(dispatch.events)
        let (position, mark) = (room.tail.position, room.tail.mark)
        let isWhole = dispatch.isForAll && areNew
        var encoded = EncodedDispatch(dispatch)
        for subscription in room.subscriptions {
            if isWhole, subscription.isOpen || !dispatch.hasEphemeral,
                subscription.cursor.takeBatch(after: before, upTo: position, mark: mark)
            {
                let format = subscription.session.format
                let frames = format == .webSocket ? dispatch.frames : encoded.frames(format)
                send(frames, count: dispatch.events.count, to: subscription)
            } else if subscription.cursor.isLive {
                deliverOneByOne(&encoded, to: subscription)
            } else if dispatch.endsMemberships {
                // At once, not when it has read as far as that.
                _ = dispatch.events.first { endIfRemoved(subscription, by: $0) }
            }
        }
        if unflushed.isEmpty { metrics.delivered(dispatch) } else { unflushedDispatches.append(dispatch) }
    }

    /// For a session that has some of these events already, that one of them may end, or that caused one.
    private func deliverOneByOne(_ encoded: inout EncodedDispatch, to subscription: RoomSubscription) {
        let session = subscription.session
        for (index, event) in encoded.dispatch.events.enumerated() {
            if event.seq == nil, !subscription.isOpen || event.senderSessionID == session.id { continue }
            switch subscription.cursor.takeDispatched(event) {
            case .send: break
            case .skip: continue
            case .otherLog: return onOtherLog(subscription)
            }
            send(encoded.frame(index, session.format), count: 1, to: subscription)
            guard !endIfRemoved(subscription, by: event), subscription.cursor.isLive else { return }
        }
    }

    /// Sends frames of a room to a live subscription. If the socket has as much queued as it may, the subscription catches up
    /// from there.
    func send(_ frames: ByteBuffer, count: Int, to subscription: RoomSubscription) {
        let session = subscription.session
        if let user = session.user {
            session.transport.write(frames)
            user.hasNews = true
            if !user.isUnflushed {
                user.isUnflushed = true
                unflushed.append(session)
            }
        } else {
            session.transport.send(frames)
        }
        noteSent(count, frames)
        guard !session.transport.isWritable, subscription.cursor.isLive else { return }
        move(subscription) { $0.socketFilled() }
        session.enqueue(subscription)
    }

    /// Whether ``flush()`` has something to do.
    var hasUnflushed: Bool { !unflushed.isEmpty }

    /// Sends what was written for sessions of users. Their rooms often have something to send in the same turn, and a system call
    /// for all of it costs little more than one for a single event.
    func flush() {
        var written: [ChatSession] = []
        swap(&written, &unflushed)
        for session in written {
            session.user?.isUnflushed = false
            session.transport.flush()
        }
        // The next turn uses its memory, unless a flush has called back and something was written again.
        written.removeAll(keepingCapacity: true)
        if unflushed.isEmpty { unflushed = written }
        for dispatch in unflushedDispatches { metrics.delivered(dispatch) }
        unflushedDispatches.removeAll(keepingCapacity: true)
    }

    /// Sends a session what has no place in a log.
    func send(_ frames: ByteBuffer, to session: ChatSession) {
        session.transport.send(frames)
        noteSent(1, frames)
        session.user?.hasNews = true
    }

    /// Queues an event for a subscription that catches up.
    func queue(_ event: MessageEvent, for subscription: RoomSubscription) {
        let frames = subscription.session.format.encode(event)
        subscription.session.transport.write(frames)
        noteSent(1, frames)
        subscription.session.user?.hasNews = true
        endIfRemoved(subscription, by: event)
    }

    /// Ends the subscription of a user who is no longer a member. A live one was sent the event that ended the membership; one
    /// that catches up ends without it.
    @discardableResult
    private func endIfRemoved(_ subscription: RoomSubscription, by event: MessageEvent) -> Bool {
        guard subscription.cursor.isEnded(by: event, of: subscription.session.userID) else { return false }
        if subscription.session.user != nil {
            onMembershipEnd(subscription, event)
        } else {
            subscription.session.transport.close(CloseReason(.notAMember, "no longer a member of this room"))
        }
        return true
    }

    // MARK: Metrics

    /// Changes a subscription's cursor, and counts its session in its new phase.
    func move<Result>(_ subscription: RoomSubscription, _ change: (inout SessionCursor) -> Result) -> Result {
        let old = subscription.cursor.phase
        let result = change(&subscription.cursor)
        let new = subscription.cursor.phase
        if new != old {
            subscription.session.subscriptionMoved(from: old, to: new)
            count(subscription.session)
        }
        return result
    }

    /// Counts a session in its present phase.
    func count(_ session: ChatSession) {
        let phase = session.phase
        guard phase != session.countedPhase else { return }
        metrics.moved(from: session.countedPhase, to: phase)
        session.countedPhase = phase
    }

    // Counted here and reported once a turn: a counter that other threads read costs more than a frame.
    private func noteSent(_ count: Int, _ frames: ByteBuffer) {
        unreported.frames += count
        unreported.bytes += frames.readableBytes
    }

    /// Reports what was sent since the last report. To be called at the end of a turn.
    func reportSent() {
        guard unreported.frames > 0 else { return }
        metrics.sent(frames: unreported.frames, bytes: unreported.bytes)
        unreported = (0, 0)
    }
}
