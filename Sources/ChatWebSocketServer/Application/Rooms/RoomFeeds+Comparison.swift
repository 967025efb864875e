import ChatEvents
import CommonUtil
import Logging

/// Detects logs that are no longer the ones whose events were sent. PostgreSQL can come back with other logs: from a
/// backup, or as a replica that lacks the last commits.
extension RoomFeeds {
    /// Number of interruptions of the way to the logs so far.
    var interruptions: Int { log.interruptions }

    /// Holds all feeds if a connection to PostgreSQL has broken since the last call: until they are compared with the
    /// logs, events from Redis may belong to other logs. Drops the recent events, which sessions then read from the
    /// log.
    func holdAfterInterruption() {
        guard interruptions != seenInterruptions else { return }
        seenInterruptions = interruptions
        for entry in entries.values { entry.feed.hold() }
        for shard in sessions.shardIndexes { sessions.apply([.emptyRings], toShard: shard) }
        onSuspectedReset?()
        onInterruption?()
    }

    /// Whether a feed waits to be compared with its log.
    var isAnyHeld: Bool { entries.values.contains { $0.feed.isHeld && $0.feed.position != nil } }

    /// What to compare with the logs.
    var probes: [RoomID: FeedProbe] {
        entries.compactMapValues { $0.feed.probe(epoch: $0.epoch) }
    }

    /// Where the feed of a room is; `nil` if it has not begun.
    func sent(of roomID: RoomID) -> FeedPosition? {
        guard let entry = entries[roomID], let seq = entry.feed.position else { return nil }
        return FeedPosition(epoch: entry.epoch, seq: seq, mark: entry.feed.mark)
    }

    /// The highest `seq` that was sent of a room; `nil` if its feed has not begun.
    func position(of roomID: RoomID) -> Seq? { entries[roomID]?.feed.position }

    /// Takes what a comparison with the logs has found.
    /// - Parameter interruptions: number of interruptions before the logs were read.
    func compared(_ verdicts: [(roomID: RoomID, probe: FeedProbe, verdict: FeedProbe.Verdict)], interruptions: Int) {
        holdAfterInterruption()
        for (roomID, probe, verdict) in verdicts {
            guard let entry = entries[roomID], entry.epoch == probe.epoch else { continue }
            switch verdict {
            case .other(let head):
                restart(roomID, entry, head: head)
            case .same(let head):
                let waited = entry.feed.confirm(probe, isCurrent: interruptions == seenInterruptions)
                dispatch(waited, of: roomID, entry)
                entry.feed.noteHead(head)
                readSoonIfBehind(roomID, entry)
            }
        }
    }

    /// Restarts a room whose log no longer holds what was sent of it: PostgreSQL was restored without its last commits. Its
    /// sessions are closed, and later ones begin with the log as it is now.
    func restart(_ roomID: RoomID, _ old: Entry, head: Seq?) {
        logger.warning(
            "a room's log was set back",
            metadata: [
                "room": "\(roomID)", "sent": "\(old.feed.position ?? 0)",
                "head": "\(head.map { "\($0)" } ?? "not known")",
            ])
        for shard in old.shards { sessions.apply([.logSetBack(roomID)], toShard: shard) }
        guard !old.leases.isEmpty else { return closeFeed(roomID, old) }
        // Another object, so that reads of the old log that are under way do not reach the new feed.
        let entry = makeEntry()
        entry.leases = old.leases
        entry.followed = old.followed
        entries[roomID] = entry
    }
}
