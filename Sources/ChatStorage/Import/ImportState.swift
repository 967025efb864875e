import ChatEvents
import CommonUtil

/// The stored data that the lines of a batch refer to. Read under the locks of the rooms.
struct ImportState {
    struct User: Equatable {
        let userID: UserID
        var displayName: String
        var username: String?
        var isDisabled: Bool
        var createdAt: Timestamp
        var isGuest = false
    }

    struct Room: Equatable {
        var name: String
        let type: RoomType
        var ownerID: UserID?
        var memberCount: Int
        var lastSeq: Seq
        var createdAt: Timestamp
        let isArchived: Bool
    }

    struct Member: Equatable {
        var role: MemberRole
        /// The read mark, as others see it (``StoredMark``).
        var mark: Seq
    }

    struct MemberKey: Hashable {
        let roomID: RoomID
        let userID: UserID
    }

    /// An `importId` in its room. Compared by bytes, as PostgreSQL does.
    struct MessageKey: Hashable {
        let roomID: RoomID
        let importID: JSONKey

        init(_ roomID: RoomID, _ importID: String) {
            self.roomID = roomID
            self.importID = JSONKey(importID)
        }
    }

    struct ImportedBefore: Equatable {
        let target: ReplyTarget
        let lineHash: [UInt8]
        /// Only read for the targets of replies.
        var isDeleted = false
    }

    /// The message that another one replies to.
    enum ReplyTarget: Equatable {
        case stored(MessageID)
        /// One of the new messages of the same batch, by its place among them.
        case new(Int)
    }

    /// The time of the batch's events.
    var now: Timestamp
    var users: [ExternalID: User] = [:]
    /// The registered ones among the users that are named by id, and whether each is a guest.
    var isGuest: [UserID: Bool] = [:]
    var holders: [String: UserID] = [:]
    /// Ids for users to be made.
    var freeUserIDs: [UserID] = []
    var rooms: [RoomID: Room] = [:]
    var members: [MemberKey: Member] = [:]
    var messages: [MessageKey: ImportedBefore] = [:]
}
