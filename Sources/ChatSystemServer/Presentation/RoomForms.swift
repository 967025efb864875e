import ChatEvents
import ChatStorage
import CommonUtil

/// Bodies about rooms.
enum RoomForms {
    /// `{name, type, roomId?, memberIds?}`; a `direct` room may go without a name.
    static func newRoom(_ fields: FieldReader) throws(ChatError) -> RoomService.NewRoom {
        var fields = fields
        let type = fields.choice("type", RoomType.self)
        let name =
            type == .direct
            ? fields.optionalString(EventKey.name, length: RoomRules.nameLength) ?? RoomType.direct.rawValue
            : fields.string(EventKey.name, length: RoomRules.nameLength)
        let roomID = fields.optionalRoomID(EventKey.roomID)
        let memberIDs = fields.userIDs("memberIds", maximumCount: RoomRules.maximumFirstMembers)
        try fields.finish()
        guard let type, let name else { throw fields.incomplete }
        return RoomService.NewRoom(roomID: roomID, name: name, type: type, memberIDs: memberIDs)
    }
}
