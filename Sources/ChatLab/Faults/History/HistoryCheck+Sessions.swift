/// Checks of what sessions got against the logs of their rooms.
extension HistoryCheck {
    /// Every part of a log that was void got what was kept of it; the last part got the whole log from its start on.
    mutating func checkAll(of session: History.Session, against log: [History.LogEntry]) {
        for part in session.abandoned {
            checkBeginning(part.start, part.sightings, of: session, against: log)
        }
        if let removal = session.removal {
            checkBeginning(session.start, session.sightings, of: session, against: log)
            return check(removal, of: session)
        }
        guard let logLoss else { return check(session, against: log) }
        let lost = session.sightings.count { !logLoss.keeps($0.seq, in: session.room) && $0.at < logLoss.at }
        guard lost > 0 else { return check(session, against: log) }
        note(
            .uninformed,
            "\(session.name) had \(lost) events of \(session.room) that PostgreSQL lost, and was not informed")
        let known = session.sightings.reduce(into: [Int: Set<History.Identity>]()) { known, sighting in
            known[sighting.seq, default: []].insert(sighting.identity)
        }
        let missing = log.filter { $0.seq > session.start && known[$0.seq]?.contains($0.identity) != true }
        if !missing.isEmpty {
            note(
                .lost, "\(session.name) never got \(missing.count) events of the log that \(session.room) has now",
                count: missing.count)
        }
    }

    /// What a session got before its log was void, or before its user was removed: the log from its start on, without a
    /// gap, up to any event. What PostgreSQL lost of it is not looked at.
    private mutating func checkBeginning(
        _ start: Int, _ sightings: [History.Sighting], of session: History.Session, against log: [History.LogEntry]
    ) {
        let kept = sightings.filter { logLoss?.keeps($0.seq, in: session.room) ?? true }
        let last = kept.map(\.seq).max() ?? start
        let part = History.Session(name: session.name, room: session.room, start: start, sightings: kept)
        check(part, against: log.filter { $0.seq <= last })
    }

    /// A live user socket gets the event that removed its user, as the last of the room.
    private mutating func check(_ removal: History.Removal, of session: History.Session) {
        guard removal.wasLive, [History.leftReason, History.removedReason].contains(removal.reason) else { return }
        let leave = History.Identity(kind: History.leaveKind, userID: removal.userID)
        guard session.sightings.last?.identity != leave else { return }
        note(.lost, "\(session.name) was removed from \(session.room) without the event that removed it")
    }

    /// The log from the session's start to its end, each event once and in its place.
    mutating func check(_ session: History.Session, against log: [History.LogEntry]) {
        let owed = log.filter { $0.seq > session.start }
        var entries: [Int: History.LogEntry] = [:]
        for entry in owed { entries[entry.seq] = entry }
        var seen = Set<Int>(minimumCapacity: owed.count)
        var highest = session.start
        for sighting in session.sightings {
            guard seen.insert(sighting.seq).inserted else {
                note(.doubled, "\(session.name) got \(session.room) \(sighting.seq) again")
                continue
            }
            if sighting.seq < highest {
                note(.reordered, "\(session.name) got \(session.room) \(sighting.seq) after \(highest)")
            }
            highest = max(highest, sighting.seq)
            let entry = entries[sighting.seq]
            if entry?.identity != sighting.identity {
                note(
                    .foreign,
                    "\(session.name) got as \(session.room) \(sighting.seq) a \(sighting.identity.kind) that the log "
                        + "does not have there")
            } else if let mark = entry?.eventMark, mark != sighting.eventMark {
                note(
                    .foreign,
                    "\(session.name) got \(session.room) \(sighting.seq) with the mark "
                        + "\(sighting.eventMark ?? "none"), the log has \(mark)")
            }
        }
        let missing = owed.filter { !seen.contains($0.seq) }
        if let first = missing.first, let last = missing.last {
            note(
                .lost,
                "\(session.name) never got \(missing.count) events of \(session.room), \(first.seq) to \(last.seq)",
                count: missing.count)
        }
    }

    /// Different events have different marks, whatever their rooms.
    mutating func checkMarks(of logs: [String: [History.LogEntry]]) {
        var owners: [String: String] = [:]
        for (room, log) in logs.sorted(by: { $0.key < $1.key }) {
            for entry in log {
                guard let mark = entry.eventMark else { continue }
                let owner = "\(room) \(entry.seq)"
                // One that is in a log twice is reported as such.
                if let other = owners.updateValue(owner, forKey: mark), other != owner {
                    note(.foreign, "\(owner) has the mark of \(other)")
                }
            }
        }
    }
}
