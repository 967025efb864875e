import CommonUtil

/// Who downloads, for the bounds of one reader.
enum DownloadReader: Hashable, Sendable {
    case user(UserID)
    /// Of a reader with a signed URL alone.
    case address(String)
}

/// Decides which downloads may read from the store: so many in all, and so many of one reader. Others wait for their turn.
///
/// A download holds a connection or a descriptor, also while its client takes nothing. Where others wait for it, the one
/// whose client has taken nothing for the longest time is ended; the client can ask for the rest by its range. Does no I/O.
struct DownloadQueue {
    /// The bounds.
    struct Limits {
        /// Downloads at a time.
        var active = 256
        /// Of one user.
        var perUser = 16
        /// Of one address: there can be many people behind it.
        var perAddress = 64
        /// Downloads that wait.
        var waiting = 1_024
        /// Of one reader.
        var waitingPerReader = 64
        /// Time without progress of its client after which a download can be ended in favour of another one.
        var stallTimeout = Duration.seconds(5)
    }

    /// What becomes of a new download.
    enum Admission: Equatable {
        case begins
        case waits
        case refused
    }

    private struct Active {
        let reader: DownloadReader
        /// When its client began to take what was read; `nil` while the store is read from.
        var waitsForClientSince: ContinuousClock.Instant?
        var isCut = false
    }

    private let limits: Limits
    private var active: [Int: Active] = [:]
    private var counts: [DownloadReader: Int] = [:]
    /// In the order of their arrival.
    private var queue: [(id: Int, reader: DownloadReader)] = []

    init(_ limits: Limits = Limits()) { self.limits = limits }

    /// The number of downloads that read.
    var activeCount: Int { active.count }
    /// The number of downloads that wait.
    var waitingCount: Int { queue.count }

    /// Adds a download.
    /// - Parameter id: of the download, which no other one has.
    mutating func add(_ id: Int, of reader: DownloadReader) -> Admission {
        if mayBegin(reader) {
            begin(id, reader)
            return .begins
        }
        guard queue.count < limits.waiting, queue.count(where: { $0.reader == reader }) < limits.waitingPerReader else {
            return .refused
        }
        queue.append((id, reader))
        return .waits
    }

    /// Ends a download, whether it reads or waits.
    /// - Returns: the downloads that begin now.
    mutating func end(_ id: Int) -> [Int] {
        guard let ended = active.removeValue(forKey: id) else {
            queue.removeAll { $0.id == id }
            return []
        }
        let left = (counts[ended.reader] ?? 1) - 1
        counts[ended.reader] = left > 0 ? left : nil
        var begun: [Int] = []
        while let index = queue.firstIndex(where: { mayBegin($0.reader) }) {
            let (id, reader) = queue.remove(at: index)
            begin(id, reader)
            begun.append(id)
        }
        return begun
    }

    /// Notes that a download reads from the store: it waits for no client.
    mutating func reads(_ id: Int) { active[id]?.waitsForClientSince = nil }

    /// Notes that a download has handed something to its client.
    mutating func hands(_ id: Int, at now: ContinuousClock.Instant) { active[id]?.waitsForClientSince = now }

    /// Chooses downloads to be ended, since others wait for their places.
    mutating func cut(at now: ContinuousClock.Instant) -> [Int] {
        var chosen: [Int] = []
        // Each that waits needs one place, and those that are being ended give theirs.
        var pending = active.values.count { $0.isCut }
        for waiting in queue {
            guard pending == 0 else {
                pending -= 1
                continue
            }
            let isOwnLimit = (counts[waiting.reader] ?? 0) >= limit(of: waiting.reader)
            let stalled = active.filter { entry in
                !entry.value.isCut && (!isOwnLimit || entry.value.reader == waiting.reader)
                    && entry.value.waitsForClientSince.map { now - $0 >= limits.stallTimeout } ?? false
            }
            let longest = stalled.min { ($0.value.waitsForClientSince ?? now) < ($1.value.waitsForClientSince ?? now) }
            guard let longest else { continue }
            active[longest.key]?.isCut = true
            chosen.append(longest.key)
        }
        return chosen
    }

    private func limit(of reader: DownloadReader) -> Int {
        switch reader {
        case .user(let userID): userID.isInstallation ? limits.active : limits.perUser
        case .address: limits.perAddress
        }
    }

    private func mayBegin(_ reader: DownloadReader) -> Bool {
        active.count < limits.active && (counts[reader] ?? 0) < limit(of: reader)
    }

    private mutating func begin(_ id: Int, _ reader: DownloadReader) {
        active[id] = Active(reader: reader)
        counts[reader, default: 0] += 1
    }
}
