import CommonAuth
import CommonUtil

/// What the policy needs to know of a room and a user.
struct RoomEntry: Equatable, Sendable {
    let isPublic: Bool
    let isMember: Bool
    /// The head of the room's log.
    let head: Seq
}

extension RoomEntry {
    /// Whether a user may have a session of the room.
    /// - Throws: 4404 for a room that is not there or not theirs to know of, 4403, 4409.
    static func check(_ entry: RoomEntry?, lastSeq: Seq?, authMode: AuthMode) throws(CloseReason) -> RoomEntry {
        guard let entry, entry.isMember || entry.isPublic else { throw CloseReason(.noSuchRoom, "no such room") }
        guard entry.isMember || authMode == .trusted else {
            throw CloseReason(.notAMember, "not a member of this room")
        }
        if let lastSeq, lastSeq > entry.head {
            throw CloseReason(.aheadOfLog, "lastSeq \(lastSeq) is beyond the head \(entry.head)")
        }
        return entry
    }
}
