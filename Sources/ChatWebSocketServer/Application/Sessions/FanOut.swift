import ChatEvents
import CommonUtil
import NIOCore

// How an event becomes bytes on N sockets:
//
//  1. `MessageEvent` encodes the event once, as a whole WebSocket frame.
//  2. `RoomDispatch` joins all that a room has to send in one turn into one buffer (below, on the feeds' event loop).
//  3. `ChatRoomSessionManager.apply` takes it to each event loop that has sessions of the room; one hop a batch.
//  4. `FanOut.deliver` asks each session's cursor whether the buffer continues where the session is, and sends the shared
//     buffer (below, on the sessions' event loop).
//  5. The session's `SessionTransport` offers it to the kernel.
//
// Steps 4 and 5 run once for each session and event: no allocation, no copy, no lock.

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

    /// - Parameter events: at least one.
    init(roomID: RoomID, events: [MessageEvent]) {
        self.roomID = roomID
        self.events = events
        frames = Self.joined(events)
        endsMemberships = events.contains { $0.type == .memberLeft }
        isForAll = !endsMemberships && !events.contains { $0.senderSessionID != nil }
    }

    private static func joined(_ events: [MessageEvent]) -> ByteBuffer {
        guard events.count > 1 else { return events.first?.frame ?? ByteBuffer() }
        var joined = ByteBufferAllocator().buffer(capacity: events.reduce(0) { $0 + $1.frame.readableBytes })
        for event in events { joined.writeImmutableBuffer(event.frame) }
        return joined
    }
}

/// Sends frames to the sessions of one event loop, and counts them. Confined to that loop, so that delivering takes no lock.
final class FanOut {
    private let metrics: DeliveryMetrics
    private var unreported = (frames: 0, bytes: 0)

    init(metrics: DeliveryMetrics) { self.metrics = metrics }

    /// Sends a dispatch to the sessions of its room that are live.
    func deliver(_ dispatch: RoomDispatch, to room: RoomSessions) {
        let before = room.tail.position
        let areNew = room.tail.append(dispatch.events)
        let position = room.tail.position
        let isWhole = dispatch.isForAll && areNew
        for session in room.sessions {
            if isWhole, session.cursor.takeBatch(after: before, upTo: position) {
                send(dispatch.frames, count: dispatch.events.count, to: session)
            } else if session.cursor.isLive {
                deliverOneByOne(dispatch, to: session)
            } else if dispatch.endsMemberships {
                // At once, not when it has read as far as that.
                _ = dispatch.events.first { closeIfRemoved(session, by: $0) }
            }
        }
        metrics.delivered(dispatch)
    }

    /// For a session that has some of these events already, that one of them may end, or that caused one.
    private func deliverOneByOne(_ dispatch: RoomDispatch, to session: ChatSession) {
        for event in dispatch.events {
            if event.seq == nil, event.senderSessionID == session.id { continue }
            guard session.cursor.takeDispatched(event) else { continue }
            send(event.frame, count: 1, to: session)
            guard !closeIfRemoved(session, by: event), session.cursor.isLive else { return }
        }
    }

    /// Sends frames to a live session. If its socket has as much queued as it may, the session catches up from there.
    func send(_ frames: ByteBuffer, count: Int, to session: ChatSession) {
        session.transport.send(frames)
        noteSent(count, frames)
        if !session.transport.isWritable, session.cursor.isLive { move(session) { $0.socketFilled() } }
    }

    /// Queues an event for a session that catches up.
    func queue(_ event: MessageEvent, for session: ChatSession) {
        session.transport.write(event.frame)
        noteSent(1, event.frame)
        closeIfRemoved(session, by: event)
    }

    /// Closes the session of a user who is no longer a member. A live session was
    /// sent the event that ended the membership; one that catches up is closed without it.
    @discardableResult
    private func closeIfRemoved(_ session: ChatSession, by event: MessageEvent) -> Bool {
        guard session.cursor.isEnded(by: event, of: session.userID) else { return false }
        session.transport.close(CloseReason(.notAMember, "no longer a member of this room"))
        return true
    }

    // MARK: Metrics

    /// Changes a session's cursor and counts the session in its new phase.
    func move<Result>(_ session: ChatSession, _ change: (inout SessionCursor) -> Result) -> Result {
        let old = session.cursor.phase
        let result = change(&session.cursor)
        if session.cursor.phase != old { metrics.moved(from: old, to: session.cursor.phase) }
        return result
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
