import CommonUtil

/// Keeps a room's feed running for one session, from before the session is let in until it is gone. Given back by
/// going away, so that no path out of a handshake can forget it.
final class RoomLease: Sendable {
    private let onRelease: @Sendable () -> Void

    init(onRelease: @escaping @Sendable () -> Void) { self.onRelease = onRelease }

    deinit { onRelease() }
}
