/// Something that happens in a room besides its log.
public enum RoomNotice: Sendable, Hashable {
    /// Typing, a read receipt.
    case signal(RoomSignal)
    /// The server has another log, which goes on after the position; `lost` are messages of one's own that it does not have.
    case reset(LogPosition, lost: [Message])
    /// More was missing than `maximumMissed`: what lies in between is not shown and can be read from the log.
    case skipped(after: Int64, through: Int64)
    /// The room is no longer the user's.
    case gone
}

/// The messages of a room that are shown: without a gap, edits and deletions applied.
public struct RoomMessages: Sendable, Hashable {
    /// Ascending; own posts that are not stored yet are last.
    public let items: [ShownMessage]
    /// Whether there are older ones.
    public let hasMore: Bool
    /// Whether these end where the log does.
    public let isAtEnd: Bool
    /// How many are after these.
    public let newerCount: Int
}

/// A state of the connection and why it is so.
public struct ConnectionStatus: Sendable, Hashable {
    /// The state.
    public let state: ConnectionState
    /// The state before.
    public let previous: ConnectionState
    /// Why.
    public let reason: ConnectionReason
    /// While it waits, how long until the next try.
    public let retryInMilliseconds: Int64?

    static let initial = ConnectionStatus(
        state: .offline, previous: .offline, reason: .stopped, retryInMilliseconds: nil)
}
