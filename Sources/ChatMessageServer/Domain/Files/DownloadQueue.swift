import CommonUtil

/// Who downloads, for the bounds of one reader.
enum DownloadReader: Hashable, Sendable {
    case user(UserID)
    /// Of a reader with a signed URL alone.
    case address(String)
}

/// Decides which downloads may read from the store, by a limit in total and one for each reader. Others wait for their
/// turn.
///
/// A download holds a connection or a descriptor, also while its client takes nothing. If others wait for it, the one
/// whose client has not taken its last piece for the longest time is ended; the client can ask for the rest by its range.
/// Pure: no I/O.
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
        /// Time for which a client may take one piece of the store, mostly 64 KiB, before its download can be ended in favour
        /// of another one, so a steady reader of 16 KB/s is left alone. Shorter than the wait of those others.
        var stallTimeout = Duration.seconds(5)
        /// Of the installation, for which any key of a server acts. Half of all: users have the rest.
        var ofInstallation: Int { max(1, active / 2) }
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

    /// A download whose client has not taken its piece in time.
    private struct Stalled {
        let id: Int
        let reader: DownloadReader
        let since: ContinuousClock.Instant
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
    mutating func readStarted(_ id: Int) { active[id]?.waitsForClientSince = nil }

    /// Notes that a download has handed something to its client.
    mutating func pieceSent(_ id: Int, at now: ContinuousClock.Instant) { active[id]?.waitsForClientSince = now }

    /// Chooses downloads to be ended, since others wait for their places.
    mutating func cut(at now: ContinuousClock.Instant) -> [Int] {
        guard !queue.isEmpty else { return [] }
        var stalled = stalled(at: now)
        var chosen: [Int] = []
        // Each that waits needs one place, and those that were chosen before and have not ended yet give theirs.
        var pending = active.values.count { $0.isCut }
        for waiting in queue {
            guard !stalled.isEmpty else { break }
            guard pending == 0 else {
                pending -= 1
                continue
            }
            let isOwnLimit = (counts[waiting.reader] ?? 0) >= limit(of: waiting.reader)
            let longest = stalled.firstIndex { !isOwnLimit || $0.reader == waiting.reader }
            guard let longest else { continue }
            let id = stalled.remove(at: longest).id
            active[id]?.isCut = true
            chosen.append(id)
        }
        return chosen
    }

    /// Downloads that may be ended, the longest stalled first.
    private func stalled(at now: ContinuousClock.Instant) -> [Stalled] {
        active.compactMap { id, download -> Stalled? in
            guard !download.isCut, let since = download.waitsForClientSince, now - since >= limits.stallTimeout else {
                return nil
            }
            return Stalled(id: id, reader: download.reader, since: since)
        }
        .sorted { $0.since < $1.since }
    }

    private func limit(of reader: DownloadReader) -> Int {
        switch reader {
        case .user(let userID): userID.isInstallation ? limits.ofInstallation : limits.perUser
        case .address: limits.perAddress
        }
    }

    /// Whether a download of this reader would begin at once.
    func mayBegin(_ reader: DownloadReader) -> Bool {
        active.count < limits.active && (counts[reader] ?? 0) < limit(of: reader)
    }

    private mutating func begin(_ id: Int, _ reader: DownloadReader) {
        active[id] = Active(reader: reader)
        counts[reader, default: 0] += 1
    }
}
