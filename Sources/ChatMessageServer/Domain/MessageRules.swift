import ChatEvents
import ChatStorage
import CommonUtil

/// Who may post, and who may change which message, as the contract's table has it. Pure; checked under the room's lock.
struct MessageRules {
    let room: Room
    /// The caller's role; `nil` for a non-member.
    let role: MemberRole?
    let userID: UserID
    /// Whether public rooms are open to non-members (`trusted` mode).
    let isOpen: Bool

    /// Checks a post of a user, as the writer does.
    /// - Throws: `room_not_found` if the room is hidden from the sender; `not_a_member`, `room_archived`.
    func checkPosting() throws(ChatError) {
        if role == nil {
            guard room.type == .public else { throw ChatError(.roomNotFound) }
            guard isOpen else { throw ChatError(.notAMember) }
        }
        try checkOpen()
    }

    /// Checks an edit, which only the sender may make.
    /// - Throws: `message_not_found` if the room is hidden from the caller; `not_a_member`, `forbidden`,
    ///   `message_deleted`, `room_archived`.
    func checkEditing(_ message: Message) throws(ChatError) {
        try checkPresence()
        // `system` messages are the installation's own.
        guard message.senderID == userID, message.type != .system || userID.isInstallation else {
            throw ChatError(.forbidden, "Only its sender edits a message")
        }
        guard !message.isDeleted else { throw ChatError(.messageDeleted) }
        try checkOpen()
    }

    /// Checks a deletion, which the sender, the owner and admins may make; in a `direct` room the owner is its maker.
    ///
    /// Deleting a deleted message passes, also in an archived room: it changes nothing, and a client without a response
    /// may repeat the request.
    /// - Throws: `message_not_found` if the room is hidden from the caller; `not_a_member`, `forbidden`,
    ///   `room_archived`.
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
