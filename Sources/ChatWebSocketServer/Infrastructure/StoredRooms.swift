import ChatEventBus
import ChatEvents
import ChatStorage
import CommonUtil

/// The rooms, their members and their logs in PostgreSQL.
struct StoredRooms: RoomLog, RoomDirectory, UserDirectory {
    let rooms: RoomRepository
    let lists: RoomListRepository
    let log: EventLog
    let readMarks: ReadMarks

    func events(of roomID: RoomID, after seq: Seq, limit: Int) async throws -> EventPage {
        let page = try await log.events(of: roomID, after: seq, limit: limit)
        return EventPage(events: page.events.map { MessageEvent($0) }, hasMore: page.hasMore, mark: page.mark)
    }

    var interruptions: Int { log.interruptions }

    func heads(of roomIDs: [RoomID]) async throws -> [RoomID: Seq] {
        roomIDs.isEmpty ? [:] : try await rooms.heads(of: roomIDs)
    }

    func authorizations(for asked: [RoomAccessQuery]) async throws -> [RoomAuthorization?] {
        try await rooms.admissions(asked).map { admission in
            admission.map { admission in
                let room = admission.access.room
                return RoomAuthorization(
                    isPublic: room.type == .public, isMember: admission.access.role != nil, head: room.lastSeq,
                    headMark: room.mark, lastMark: admission.lastMark, positionMark: admission.positionMark)
            }
        }
    }

    func markRead(_ roomID: RoomID, by userID: UserID, upTo seq: Seq) async throws -> ReadReceipt? {
        let mark = try await readMarks.mark(roomID, by: userID, upTo: seq)
        guard mark.hasMoved else { return nil }
        return ReadReceipt(roomID: roomID, userID: userID, lastReadSeq: mark.lastReadSeq, version: mark.version)
    }

    func makeOpenRoom(_ roomID: RoomID) async throws {
        try await rooms.makeOpenRoom(roomID)
    }

    // MARK: Lists of rooms

    func takeSnapshot() async throws -> ListSnapshotID { try await lists.takeSnapshot() }

    func list(of userID: UserID, since cursor: RoomListCursor?, withSeqAtCursor: Bool) async throws -> RoomList {
        try await lists.list(of: userID, since: cursor, withSeqAtCursor: withSeqAtCursor)
    }

    func rooms(of userID: UserID, in roomIDs: [RoomID]) async throws -> [ListedRoom] {
        try await lists.summaries(of: userID, in: roomIDs).map { summary in
            ListedRoom(
                roomID: summary.room.roomID, lastSeq: summary.room.lastSeq, mark: summary.room.mark,
                lastReadSeq: summary.lastReadSeq, json: RoomJSON(summary))
        }
    }

    func readStates(of userID: UserID, in asked: [(roomID: RoomID, upTo: Seq)]) async throws -> [RoomReadState] {
        try await lists.readStates(of: userID, in: asked)
    }

    func versions(of userIDs: [UserID]) async throws -> [UserID: Int64] { try await lists.versions(of: userIDs) }

    func memberships(of userID: UserID) async throws -> UserMemberships {
        try await lists.memberships(of: [userID])[userID] ?? .none
    }

    func positions(at asked: [(roomID: RoomID, seq: Seq)]) async throws -> [LogPosition?] {
        try await log.positions(at: asked)
    }
}
