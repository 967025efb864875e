import Synchronization

/// Decides how long uploads leave the disk alone after they have used it.
///
/// PostgreSQL often commits on the same disk, and a commit waits for what was written before it, also by others. While this
/// server stores posts they get the disk for eight times as long as uploads, else for as long: another server may store some.
/// Pure: no I/O.
final class DiskShare: Sendable {
    private static let shareOfPosts = 8
    /// Time for which a commit counts as the present load.
    private static let memory = Duration.seconds(1)
    /// If the disk is slower than this, uploads wait for it already.
    private static let longestPause = Duration.milliseconds(100)

    private let start: ContinuousClock.Instant
    /// Nanoseconds from ``start`` to the last commit of a post; negative if there was none.
    private let lastCommit = Atomic<Int64>(-1)

    init(start: ContinuousClock.Instant = .now) { self.start = start }

    /// Notes that posts were stored. Called for each batch, on the thread of the PostgreSQL client.
    func committed(at now: ContinuousClock.Instant = .now) {
        lastCommit.store(Int64((now - start) / .nanoseconds(1)), ordering: .relaxed)
    }

    /// - Parameter use: the time for which an upload has used the disk.
    func pause(after use: Duration, at now: ContinuousClock.Instant = .now) -> Duration {
        let last = lastCommit.load(ordering: .relaxed)
        let storesPosts = last >= 0 && now - start - .nanoseconds(last) < Self.memory
        return min(use * (storesPosts ? Self.shareOfPosts : 1), Self.longestPause)
    }
}
