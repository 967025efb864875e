/// Checks of what readers were given.
extension LibraryClientCheck {
    typealias Sighting = LibraryClientRecord.Sighting

    mutating func check(heard record: LibraryClientRecord, _ log: [Entry], _ room: String) {
        let marks = Dictionary(log.map { ($0.seq, $0.eventMark) }, uniquingKeysWith: { first, _ in first })
        let skipAtStart = record.hearsFromNow || record.sharesStore ? Int.max / 2 : Self.largestSkipAtKill
        let lives = record.heard.map { life in life.filter { $0.room == room } }
        var resetsLeft = lives.joined().count(where: \.isReset)
        var last: Int?
        for life in lives {
            var isFirst = true
            for sighting in life {
                if sighting.isReset {
                    resetsLeft -= 1
                    last = record.hearsFromNow ? nil : sighting.seq
                    continue
                }
                defer {
                    isFirst = false
                    last = max(last ?? 0, sighting.seq)
                }
                // What was lost may be heard before the reader is informed of it.
                let isLost = resetsLeft > 0 && loss?.loses(sighting.seq, of: room) == true
                if marks[sighting.seq] != sighting.eventMark, !isLost {
                    note(.heardTwice, "\(record.name) heard \(sighting.seq) of another log in \(room)")
                }
                guard let last else { continue }
                if sighting.seq <= last {
                    note(.heardTwice, "\(record.name) heard \(sighting.seq) of \(room) after \(last)")
                } else if sighting.seq > last + (isFirst ? 1 + skipAtStart : 1) {
                    note(
                        .heardWithGap, count: sighting.seq - last - 1,
                        "\(record.name) heard \(sighting.seq) of \(room) after \(last)")
                }
            }
        }
    }

    /// What came before a reader began again: it must have had events that were lost, and the log up to them.
    /// - Returns: what came after it.
    private mutating func checkBeginnings(
        _ sightings: [Sighting], _ flaw: Flaw, _ log: [Entry], _ name: String, _ room: String
    ) -> [Sighting] {
        var parts = sightings.split(omittingEmptySubsequences: false, whereSeparator: \.isReset).map(Array.init)
        let current = parts.removeLast()
        for part in parts {
            let kept = part.filter { loss?.loses($0.seq, of: room) != true }
            let lost = part.dropFirst(kept.count)
            if lost.isEmpty { note(.beganAgain, "\(name) began \(room) again after \(part.count) events") }
            let due = log.prefix(loss?.kept[room] ?? 0).map { Sighting(room, $0) }
            let isWhole =
                kept == due && zip(lost, lost.dropFirst()).allSatisfy { $1.seq == $0.seq + 1 }
                && (lost.first?.seq ?? due.count + 1) == due.count + 1
            if !isWhole { note(flaw, "\(name), \(room): \(part.count) events before it began again are not the log's") }
        }
        return current
    }

    mutating func check(applied: [Sighting], _ log: [Entry], _ name: String, _ room: String) {
        let applied = checkBeginnings(applied, .applied, log, name, room)
        let due = log.map { Sighting(room, $0) }
        guard applied != due else { return }
        let differing = zip(applied, due).first { $0 != $1 }
        note(
            .applied, count: max(1, abs(applied.count - due.count)),
            "\(name) dealt with \(applied.count) of \(due.count) events of \(room), the first wrong one is "
                + "\(differing?.0.seq ?? min(applied.count, due.count) + 1)")
    }

    /// Each event at least once, in order; one that comes again is the last one before it, at most one a kill.
    mutating func check(named: [Sighting], _ log: [Entry], _ name: String, _ room: String, kills: Int) {
        let named = checkBeginnings(named, .namedMissing, log, name, room)
        var next = log.startIndex
        var repeats = 0
        for sighting in named {
            if next < log.endIndex, log[next].seq == sighting.seq, log[next].eventMark == sighting.eventMark {
                next += 1
            } else if next > log.startIndex, log[next - 1].seq == sighting.seq {
                repeats += 1
            } else {
                note(.namedMissing, "\(name), reader of \(room): \(sighting.seq) where \(next + 1) was due")
                next = (log.firstIndex { $0.seq == sighting.seq } ?? next - 1) + 1
            }
        }
        note(.namedMissing, count: log.endIndex - next, "\(name), reader of \(room): nothing after \(next)")
        note(.namedAgain, count: repeats - kills, "\(name), reader of \(room): \(repeats) repeated, \(kills) kills")
    }
}

extension LibraryClientRecord.Sighting {
    fileprivate init(_ room: String, _ entry: LibraryClientCheck.Entry) {
        self.init(room: room, seq: entry.seq, eventMark: entry.eventMark)
    }
}
