/// A simulated error of a broken system: in one event or receipt of one session, a socket, the feed of changes, or a
/// file. The check has to detect it.
enum HistoryTampering: String, Sendable, CaseIterable {
    case lose, double, swap, rewind, leak, forget, swapInFeed, skipInFeed, repeatInFeed
    case loseNamedFile, loseFile, leaveFile

    /// - Returns: false if nothing in the history lends itself to it.
    func apply(to history: inout History) -> Bool {
        switch self {
        case .lose: inTheMiddle(of: &history) { $0.remove(at: $1) }
        case .double: inTheMiddle(of: &history) { $0.insert($0[$1], at: $1 + 1) }
        case .swap: inTheMiddle(of: &history) { $0.swapAt($1, $1 + 1) }
        case .rewind: rewind(&history)
        case .leak: leak(&history)
        case .forget: forget(&history)
        case .swapInFeed: swapInFeed(&history)
        case .skipInFeed: skipInFeed(&history)
        case .repeatInFeed: repeatInFeed(&history)
        case .loseNamedFile: loseFile(&history, isNamed: true)
        case .loseFile: loseFile(&history, isNamed: false)
        case .leaveFile: leaveFile(&history)
        }
    }

    /// Does something to a session in the middle of what it got.
    private func inTheMiddle(of history: inout History, _ change: (inout [History.Sighting], Int) -> Void) -> Bool {
        guard let index = history.sessions.firstIndex(where: { $0.sightings.count >= 3 }) else { return false }
        change(&history.sessions[index].sightings, history.sessions[index].sightings.count / 2)
        return true
    }

    /// Somebody has read less than a moment ago.
    private func rewind(_ history: inout History) -> Bool {
        for (index, session) in history.sessions.enumerated() {
            guard var receipt = session.receipts.last(where: { $0.lastReadSeq > 1 }) else { continue }
            receipt.lastReadSeq -= 1
            history.sessions[index].receipts.append(receipt)
            return true
        }
        return false
    }

    /// A socket gets what comes right after its user's leave.
    private func leak(_ history: inout History) -> Bool {
        for (index, visit) in history.visits.enumerated() {
            let leave = History.Identity(kind: History.leaveKind, userID: visit.userID)
            guard let log = history.logs[visit.room],
                let left = log.first(where: { $0.seq > visit.start && $0.identity == leave }),
                let next = log.first(where: { $0.seq == left.seq + 1 })
            else { continue }
            history.visits[index].sightings.append(
                .init(seq: next.seq, identity: next.identity, at: visit.end?.at ?? 0))
            return true
        }
        return false
    }

    /// PostgreSQL loses the last message of a log, and one of the sessions that had it is not closed.
    private func forget(_ history: inout History) -> Bool {
        for (room, log) in history.logs {
            let members = history.sessions.indices.filter { history.sessions[$0].room == room }
            guard let last = log.last, last.identity.kind == History.messageKind,
                let time = members.flatMap({ history.sessions[$0].sightings }).map(\.at).max()
            else { continue }
            let kept = Array(log.dropLast())
            var heads = history.logs.compactMapValues { $0.last?.seq }
            heads[room] = last.seq - 1
            history.logs[room] = kept
            // It is the feed of the log before.
            history.changeFeed = nil
            history.logLoss = .init(heads: heads, lagBegan: 0, at: time + 1)
            history.visits.removeAll { visit in
                visit.room == room && visit.sightings.contains { $0.seq >= last.seq }
            }
            for index in members {
                history.sessions[index].receipts.removeAll { $0.lastReadSeq >= last.seq }
                guard index != members.first else { continue }
                let session = history.sessions[index]
                history.sessions[index].abandoned = [.init(start: session.start, sightings: session.sightings)]
                history.sessions[index].start = 0
                history.sessions[index].sightings = kept.map {
                    .init(seq: $0.seq, identity: $0.identity, eventMark: $0.eventMark, at: time)
                }
            }
            return true
        }
        return false
    }

    /// A reader gets two events of different rooms in another order than whoever reads the feed again. Each room's events
    /// still ascend.
    private func swapInFeed(_ history: inout History) -> Bool {
        guard let deliveries = history.changeFeed?.readers.first?.deliveries else { return false }
        for (index, delivery) in deliveries.enumerated() {
            let pairs = zip(delivery.events, delivery.events.dropFirst())
            guard let place = pairs.enumerated().first(where: { $0.element.0.room != $0.element.1.room })?.offset
            else { continue }
            history.changeFeed?.readers[0].deliveries[index].events.swapAt(place, place + 1)
            return true
        }
        return false
    }

    /// An event is committed when the feed is already beyond its place, and nobody ever gets it.
    private func skipInFeed(_ history: inout History) -> Bool {
        guard let feed = history.changeFeed, let last = feed.events.last,
            let skipped = feed.events.last(where: { event in
                event.seq > 0 && feed.events.contains { $0.room == event.room && $0.seq > event.seq }
            }), skipped != last
        else { return false }
        history.changeFeed?.events.removeAll { $0.cursor == skipped.cursor }
        for index in feed.readers.indices {
            for number in feed.readers[index].deliveries.indices {
                history.changeFeed?.readers[index].deliveries[number].events.removeAll { $0.cursor == skipped.cursor }
            }
        }
        history.changeFeed?.continuations = []
        return true
    }

    /// A webhook delivers an event again, in a delivery of its own.
    private func repeatInFeed(_ history: inout History) -> Bool {
        guard
            let index = history.changeFeed?.readers.firstIndex(where: { reader in
                reader.deliveries.contains { $0.deliveryID != nil && !$0.events.isEmpty }
            }), var delivery = history.changeFeed?.readers[index].deliveries.last(where: { !$0.events.isEmpty })
        else { return false }
        delivery.deliveryID = "another"
        delivery.events = delivery.events.suffix(1)
        history.changeFeed?.readers[index].deliveries.append(delivery)
        return true
    }

    /// The bytes of a file are gone, which a message names or an uploader only knows to be stored.
    private func loseFile(_ history: inout History, isNamed: Bool) -> Bool {
        let named = Set(history.logs.values.joined().compactMap(\.fileID))
        let kept = history.files?.uploads.first { upload in
            guard let fileID = upload.fileID, case .bytes? = history.files?.readings[fileID] else { return false }
            return named.contains(fileID) == isNamed && upload.deletion == .none
        }
        guard let fileID = kept?.fileID else { return false }
        history.files?.readings[fileID] = .missing("404")
        return true
    }

    /// An upload that was cut off leaves bytes in the store.
    private func leaveFile(_ history: inout History) -> Bool {
        guard history.files != nil else { return false }
        history.files?.leftovers.append("the store has an object without a row")
        return true
    }
}
