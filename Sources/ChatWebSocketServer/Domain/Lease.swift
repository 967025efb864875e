/// Something that a session holds from before it is let in until it is gone: its room's feed, its place among the open
/// sockets. Given back by going away, so that no path out of a handshake can forget it.
final class Lease: Sendable {
    private let onRelease: @Sendable () -> Void

    init(onRelease: @escaping @Sendable () -> Void) { self.onRelease = onRelease }

    deinit { onRelease() }
}
