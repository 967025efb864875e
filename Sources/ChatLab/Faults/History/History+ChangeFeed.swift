/// The feed of changes, as its readers got it.
extension History {
    /// An event of the feed.
    struct FeedEvent: Sendable, Equatable {
        var cursor: String
        var room: String
        /// 0 for a `room_created`, which has none.
        var seq: Int
        var identity: Identity
        var eventMark: String?
        /// What its message held when the event was read.
        var contentJson: String?
    }

    /// Events that a reader got at once.
    struct FeedDelivery: Sendable, Equatable {
        /// The `deliveryId` of a webhook; nil for a page that the reader asked for.
        var deliveryID: String?
        var events: [FeedEvent]
        var at: UInt64
        /// Whether the reader kept it: one that is killed, or that refuses it, may not have.
        var isKept = true
    }

    /// One that keeps a table of all events, from the oldest on.
    struct FeedReader: Sendable {
        var name: String
        var deliveries: [FeedDelivery]
        /// Whether it was there all the time, so that the times at which it got events mean something.
        var isMeasured = true
    }

    /// What comes after a cursor that was known for a while.
    struct FeedContinuation: Sendable {
        var cursor: String
        /// The cursors of the events after it.
        var next: [String]
    }

    struct ChangeFeed: Sendable {
        /// All events, read from the beginning at the end of the run.
        var events: [FeedEvent]
        var readers: [FeedReader]
        var continuations: [FeedContinuation] = []
        /// The logs of rooms that are not in ``History/logs``.
        var otherLogs: [String: [LogEntry]] = [:]
    }

    /// The event that begins a room in the feed.
    static let roomCreationKind = "room_created"

    /// The longest time from the acknowledgement of a message to its arrival at each reader that was there all the time,
    /// in nanoseconds, by the reader's name.
    var feedDelays: [String: UInt64] {
        var acknowledged: [String: [Int: UInt64]] = [:]
        for post in posts {
            if case .acknowledged(let answer) = post.outcome {
                acknowledged[post.room, default: [:]][answer.seq] = answer.at
            }
        }
        return (changeFeed?.readers ?? []).filter(\.isMeasured).reduce(into: [:]) { delays, reader in
            var known = Set<String>()
            for delivery in reader.deliveries {
                for event in delivery.events where known.insert(event.cursor).inserted {
                    guard let time = acknowledged[event.room]?[event.seq], delivery.at > time else { continue }
                    delays[reader.name] = max(delays[reader.name] ?? 0, delivery.at - time)
                }
            }
        }
    }
}
