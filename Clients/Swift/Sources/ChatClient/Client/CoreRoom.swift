import NIOConcurrencyHelpers

/// The core's state of a room. Used within the core only.
final class CoreRoom {
    var log: RoomLog
    /// Whether its messages are kept.
    var isWanted = false
    /// Posts that the server has and the log does not show yet.
    var stored: [OwnPost] = []
    /// Number of consumers of events without a `seq`.
    var listeners = 0
    let sources: RoomSources

    init(log: RoomLog, sources: RoomSources) {
        self.log = log
        self.sources = sources
    }
}

/// The values of a room that the application observes.
final class RoomSources: Sendable {
    let messages = LatestValue(RoomMessages(items: [], hasMore: false, isAtEnd: true, newerCount: 0))
    let states = LatestValue(RoomState.idle)
    let notices = Broadcast<RoomNotice>(capacity: 256)
    /// Set after `messages` or `states`.
    let changes = LatestValue(())
}

/// The sources of all rooms that were asked for.
final class AllRoomSources: Sendable {
    private let sources = NIOLockedValueBox<[String: RoomSources]>([:])

    func of(_ id: String) -> RoomSources {
        sources.withLockedValue { sources in
            if let known = sources[id] { return known }
            let new = RoomSources()
            sources[id] = new
            return new
        }
    }
}
