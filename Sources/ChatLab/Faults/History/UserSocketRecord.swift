/// What a user socket got, as histories of its rooms: one session for each stay of its user in a room.
struct UserSocketRecord {
    let name: String
    let userID: Int
    private(set) var sessions: [History.Session] = []
    /// The index of the present stay, by room.
    private var present: [String: Int] = [:]

    init(name: String, userID: Int) {
        self.name = name
        self.userID = userID
    }

    /// Takes what a frame meant for the rooms; all other steps are nothing to it.
    /// - Parameter sighting: the event, where the frame was one.
    mutating func take(_ step: UserSocketState.Step, sighting: History.Sighting? = nil) {
        switch step {
        case .began(let room, let place):
            present[room] = sessions.count
            sessions.append(History.Session(name: name, room: room, start: place.seq))
        case .event(let room):
            guard let index = present[room], let sighting else { return }
            sessions[index].sightings.append(sighting)
        case .reset(let room, let place), .skipped(let room, let place):
            startOver(room, after: place.seq)
        case .ended(let room, let reason, let wasLive):
            guard let index = present.removeValue(forKey: room) else { return }
            sessions[index].removal = .init(userID: userID, reason: reason, wasLive: wasLive)
        case .send, .synced, .violation:
            break
        }
    }

    /// Notes a `read` that came by one of the socket's connections.
    mutating func take(_ receipt: History.Receipt, in room: String) {
        guard let index = present[room] else { return }
        sessions[index].receipts.append(receipt)
    }

    /// How often the log of a room was void, or left out in part, in the present stay and those before it.
    func restarts(in room: String) -> Int {
        sessions.reduce(0) { $1.room == room ? $0 + $1.abandoned.count + ($1.removal == nil ? 0 : 1) : $0 }
    }

    /// Delays of such a socket mean nothing from now on.
    mutating func stall() {
        for index in present.values { sessions[index].wasStalled = true }
    }

    private mutating func startOver(_ room: String, after seq: Int) {
        guard let index = present[room] else { return }
        sessions[index].abandoned.append(
            .init(start: sessions[index].start, sightings: sessions[index].sightings))
        sessions[index].start = seq
        sessions[index].sightings = []
    }
}
