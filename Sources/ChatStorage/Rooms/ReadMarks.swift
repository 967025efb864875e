import CommonUtil

/// The use case "mark read", for REST and for sockets.
public struct ReadMarks: Sendable {
    private let rooms: RoomRepository
    private let authMode: AuthMode

    public init(rooms: RoomRepository, authMode: AuthMode) {
        self.rooms = rooms
        self.authMode = authMode
    }

    /// Marks a room read up to a `seq`, only ever forward and never beyond its head.
    ///
    /// In `trusted` mode public rooms are everyone's: of one who is no member nothing is kept, but the others are told.
    /// - Throws: `room_not_found` also for a room that is not this user's to know of; `not_a_member`.
    public func mark(_ roomID: RoomID, by userID: UserID, upTo seq: Seq) async throws -> ReadMark {
        let isOpen = authMode == .trusted
        var outcome = try await rooms.markRead(roomID, by: userID, upTo: seq)
        if outcome == nil, isOpen {
            try await rooms.makeOpenRoom(roomID)
            outcome = try await rooms.markRead(roomID, by: userID, upTo: seq)
        }
        switch outcome {
        case .marked(let mark): return mark
        case .notAMember(.public, let head):
            guard isOpen else { throw ChatError(.notAMember) }
            let lastReadSeq = min(seq, head)
            return ReadMark(lastReadSeq: lastReadSeq, isNews: lastReadSeq > 0)
        case .notAMember, nil: throw ChatError(.roomNotFound)
        }
    }
}

/// How far a user has read a room.
public struct ReadMark: Equatable, Sendable {
    public let lastReadSeq: Seq
    /// Whether there is something to tell the others.
    public let isNews: Bool

    public init(lastReadSeq: Seq, isNews: Bool) {
        self.lastReadSeq = lastReadSeq
        self.isNews = isNews
    }
}

/// What came of marking a room that is there.
enum ReadOutcome: Equatable, Sendable {
    case marked(ReadMark)
    case notAMember(RoomType, head: Seq)
}
