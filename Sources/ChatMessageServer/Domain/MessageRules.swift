import ChatEvents
import ChatStorage
import CommonUtil

/// Who may change which message: the contract's table. Pure; to be asked under the room's lock.
struct MessageRules {
    let room: Room
    /// The caller's place in the room, if any.
    let role: MemberRole?
    let userID: UserID
    /// Whether public rooms are everyone's, members or not (`trusted` mode).
    let isOpen: Bool

    /// Only the sender edits.
    /// - Throws: `message_not_found` where the room is hidden from the caller; `not_a_member`, `forbidden`,
    ///   `message_deleted`, `room_archived`.
    func checkEditing(_ message: Message) throws(ChatError) {
        try checkPresence()
        guard message.senderID == userID, message.type != .system else {
            throw ChatError(.forbidden, "Only its sender edits a message")
        }
        guard !message.isDeleted else { throw ChatError(.messageDeleted) }
        try checkOpen()
    }

    /// The sender deletes; others' messages the owner and admins, in a `direct` room the one who made it.
    ///
    /// Deleting what is deleted already is let through, also in an archived room: it changes nothing, and one who got
    /// no answer may ask again.
    func checkDeleting(_ message: Message) throws(ChatError) {
        try checkPresence()
        guard message.senderID == userID || role == .owner || role == .admin else {
            throw ChatError(.forbidden, "Only its sender, the owner and admins delete a message")
        }
        if !message.isDeleted { try checkOpen() }
    }

    private func checkPresence() throws(ChatError) {
        guard role == nil else { return }
        guard room.type == .public else { throw ChatError(.messageNotFound) }
        guard isOpen else { throw ChatError(.notAMember) }
    }

    private func checkOpen() throws(ChatError) {
        guard !room.isArchived else { throw ChatError(.roomArchived) }
    }
}
