/// Everything that the clients saw in one run, and the logs of the rooms at its end. All times are of one clock, in
/// nanoseconds.
struct History: Sendable {
    /// One message that a client wanted to send, in one attempt or several.
    struct Post: Sendable {
        enum Outcome: Sendable, Equatable {
            /// No answer, or one that leaves open whether it was stored.
            case unknown
            case acknowledged(Acknowledgement)
            /// An answer that says it was not stored.
            case refused(status: Int)
        }

        /// Identifies the message; part of its payload.
        var mark: String
        var room: String
        var writer: Int
        /// Sent with a `clientMessageId`, so that it may be repeated.
        var isKeyed: Bool
        var firstSent: UInt64
        var attempts = 0
        var outcome = Outcome.unknown

        var acknowledgement: Acknowledgement? {
            if case .acknowledged(let answer) = outcome { answer } else { nil }
        }
    }

    /// An edit or a deletion of an acknowledged message, asked for once in the message's life, or a user's coming or
    /// going, asked for until there is an answer.
    struct Change: Sendable {
        var room: String
        /// The event that it makes.
        var identity: Identity
        /// Without an acknowledgement it may have been carried out or not.
        var isAcknowledged = false
    }

    struct Acknowledgement: Sendable, Equatable {
        var seq: Int
        var messageID: Int
        var at: UInt64
        /// The port of the server that gave it.
        var server: Int
    }

    /// An event without its place and its content: the content of a message may change later.
    struct Identity: Sendable, Hashable {
        /// `eventType`.
        var kind: String
        /// The message that it is about; nil for an event about a member or the room.
        var messageID: Int?
        /// The member that it is about; nil for any other event.
        var userID: Int?
    }

    /// An event that reached a session.
    struct Sighting: Sendable, Equatable {
        var seq: Int
        var identity: Identity
        /// The event's `mark`; nil from a server that gives none.
        var eventMark: String?
        var at: UInt64
    }

    /// A `read` that reached a session: how far a user has read the room.
    struct Receipt: Sendable, Equatable {
        var userID: Int
        var lastReadSeq: Int
        /// Which of the session's connections it came by: between two of them there is no order.
        var connection: Int
    }

    /// PostgreSQL lost its last commits: a standby that lacked them became the primary.
    struct LogLoss: Sendable {
        /// The last `seq` that was kept, by room.
        var heads: [String: Int]
        /// When the standby got its last commit.
        var lagBegan: UInt64
        /// When the loss was known: before the first new event.
        var at: UInt64

        func keeps(_ seq: Int, in room: String) -> Bool { seq <= heads[room] ?? 0 }
    }

    /// What a session got of a log, up to the 4409 with which it was closed or the `room_reset` that it got.
    struct AbandonedLog: Sendable {
        var start: Int
        var sightings: [Sighting]
    }

    /// The end of a user's membership, as its socket reported it.
    struct Removal: Sendable, Equatable {
        var userID: Int
        /// `reason` of a `room_removed`, or that a list of rooms lacked the room.
        var reason: String
        /// Whether the session was live in the room, so that it was owed the event that removed the user.
        var wasLive: Bool
    }

    /// One reader of one room, over all its connections. A user socket is one for each stay of its user in a room.
    struct Session: Sendable {
        /// Of the reader, the same for all its rooms.
        var name: String
        var room: String
        /// The session must get every event after this `seq`.
        var start: Int
        var sightings: [Sighting] = []
        /// What it got before it learned that its log was another one, and began again.
        var abandoned: [AbandonedLog] = []
        var receipts: [Receipt] = []
        /// Whether it was made to stop reading for a while, so that its delays mean nothing.
        var wasStalled = false
        /// What ended the stay of a user socket; such a session got a part of the log without a gap.
        var removal: Removal?
    }

    /// One socket of a user who came into the room before it was opened, and who may leave the room while it is open.
    struct Visit: Sendable {
        struct End: Sendable, Equatable {
            /// The close code; nil if there was none.
            var code: Int?
            var at: UInt64
        }

        var room: String
        var userID: Int
        /// The head when it began. It must get every event after this, up to its end.
        var start: Int
        var sightings: [Sighting] = []
        /// When the user first asked to leave.
        var leaveAsked: UInt64?
        /// nil if the server did not end it.
        var end: End?

        /// The time from the first attempt to leave to the end of the socket, in nanoseconds.
        var closeDelay: UInt64? {
            guard let end, end.code == History.removedCode, let leaveAsked else { return nil }
            return end.at > leaveAsked ? end.at - leaveAsked : 0
        }
    }

    struct LogEntry: Sendable, Equatable {
        var seq: Int
        var identity: Identity
        /// The mark of the message, if the event is about one of ours.
        var mark: String?
        /// The event's `mark` of the contract.
        var eventMark: String?
        /// What its message holds now.
        var contentJson: String?
        /// The file that its message names now.
        var fileID: String?
    }

    /// How long a live user socket waited for the `room_added` or `room_removed` of its user's own coming or going.
    struct MembershipDelay: Sendable, Equatable {
        var room: String
        var kind: String
        /// From the first attempt, in nanoseconds.
        var nanoseconds: UInt64
    }

    var posts: [Post] = []
    var changes: [Change] = []
    /// Each user's comings and goings in a room in their order: the next is asked for when the last is acknowledged.
    var memberChanges: [Change] = []
    var sessions: [Session] = []
    var visits: [Visit] = []
    var membershipDelays: [MembershipDelay] = []
    /// By room, in the order of the pages that were read.
    var logs: [String: [LogEntry]] = [:]
    var logLoss: LogLoss?
    var changeFeed: ChangeFeed?
    var files: Files?
}

extension History {
    /// The event that stores a message.
    static let messageKind = "message"
    /// Those that change one.
    static let editKind = "message_edited"
    static let deletionKind = "message_deleted"
    /// The events of members who come and go.
    static let joinKind = "member_joined"
    static let leaveKind = "member_left"
    /// The close code for a user who is no longer a member.
    static let removedCode = 4403
    /// `reason` of a `room_removed`: of the user's own accord, or by somebody else.
    static let leftReason = "left"
    static let removedReason = "removed"
    /// The close code for a client that knows a log that the server does not have.
    static let lostLogCode = 4409

    var acknowledged: Int {
        posts.count { if case .acknowledged = $0.outcome { true } else { false } }
    }

    /// How long each message took from the first attempt to send it to its arrival at each session.
    func delays(ofStalled: Bool = false, of isCounted: (Post) -> Bool = { _ in true }) -> LatencyHistogram {
        var sent: [String: UInt64] = [:]
        for post in posts where isCounted(post) { sent[post.mark] = post.firstSent }
        var sentBySeq: [String: [Int: UInt64]] = [:]
        for (room, log) in logs {
            for entry in log where entry.identity.kind == Self.messageKind {
                if let mark = entry.mark, let time = sent[mark] { sentBySeq[room, default: [:]][entry.seq] = time }
            }
        }
        var histogram = LatencyHistogram()
        for session in sessions where session.wasStalled == ofStalled {
            guard let times = sentBySeq[session.room] else { continue }
            // For an event that was kept and read again after a 4409 the first arrival counts.
            let kept = session.abandoned.flatMap(\.sightings).filter {
                logLoss?.keeps($0.seq, in: session.room) ?? true
            }
            var known = Set<Int>()
            for sighting in kept + session.sightings
            where session.abandoned.isEmpty || known.insert(sighting.seq).inserted {
                guard let time = times[sighting.seq] else { continue }
                histogram.record(nanoseconds: sighting.at > time ? sighting.at - time : 0)
            }
        }
        return histogram
    }
}
