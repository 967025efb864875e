import ChatEvents
import CommonUtil
import NIOCore

/// All that a room has to say in one turn: told to an event loop once, written to each live session once.
struct RoomDispatch: Sendable {
    let roomID: RoomID
    let events: [MessageEvent]
    /// The frames one after the other: one buffer, shared by every session that gets them all.
    let frames: ByteBuffer
    /// Whether an event says that someone is no longer a member.
    let endsMemberships: Bool
    /// Whether all sessions get all of it, so that one buffer will do.
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

/// What the feeds tell an event loop; in order.
enum ShardUpdate: Sendable {
    /// From now on this loop hears of the room: all after `position`.
    case attach(RoomID, position: Seq)
    case dispatch(RoomDispatch)
    /// This loop has no more sessions of the room.
    case detach(RoomID)
    /// The room's log no longer holds what was sent of it: its sessions end, and it begins anew.
    case logSetBack(RoomID)
    /// For every session of a user, whatever its room.
    case user(UserID, frame: ByteBuffer)
}
