import ChatEvents
import CommonUtil
import Testing

@testable import ChatMessageServer
@testable import ChatStorage

@Suite(.timeLimit(.minutes(2))) struct MessageRulesTests {
    private let sender = UserID(1)

    private func rules(
        _ type: RoomType = .group, archived: Bool = false, role: MemberRole?, of userID: UserID, isOpen: Bool = false
    ) -> MessageRules {
        let room = Room(
            roomID: RoomID(verified: "r"), name: "R", type: type, ownerID: nil, memberCount: 3, lastSeq: 1, mark: nil,
            createdAt: Timestamp(microseconds: 0), archivedAt: archived ? Timestamp(microseconds: 1) : nil)
        return MessageRules(room: room, role: role, userID: userID, isOpen: isOpen)
    }

    private func message(_ type: MessageType = .text, deleted: Bool = false) -> Message {
        Message(
            messageID: MessageID(7), roomID: RoomID(verified: "r"), seq: 1, senderID: sender, type: type,
            contentJSON: "{}", sentAt: Timestamp(microseconds: 0), isDeleted: deleted)
    }

    private func code(_ body: () throws -> Void) -> ErrorCode? {
        do {
            try body()
            return nil
        } catch {
            return (error as? ChatError)?.code
        }
    }

    @Test(arguments: [
        (RoomType.group, Optional(MemberRole.member), false, false, ErrorCode?.none),
        (.group, .member, true, false, .roomArchived), (.group, nil, true, true, .roomNotFound),
        (.private, nil, false, true, .roomNotFound), (.direct, nil, false, false, .roomNotFound),
        (.public, nil, true, false, .notAMember), (.public, nil, false, true, nil),
        (.public, nil, true, true, .roomArchived),
    ])
    func `who may post`(type: RoomType, role: MemberRole?, archived: Bool, isOpen: Bool, expected: ErrorCode?) {
        let rules = rules(type, archived: archived, role: role, of: sender, isOpen: isOpen)
        #expect(code { try rules.checkPosting() } == expected)
    }

    @Test func `only the sender edits`() {
        #expect(code { try rules(role: .member, of: sender).checkEditing(message()) } == nil)
        for role in MemberRole.allCases {
            #expect(code { try rules(role: role, of: UserID(2)).checkEditing(message()) } == .forbidden)
        }
    }

    @Test(arguments: [
        (MemberRole.member, UserID(1), nil), (.owner, UserID(2), nil), (.admin, UserID(2), nil),
        (.member, UserID(2), ErrorCode.forbidden),
    ])
    func `the sender, the owner and admins delete`(role: MemberRole, userID: UserID, expected: ErrorCode?) {
        for deleted in [false, true] {
            #expect(
                code { try rules(role: role, of: userID).checkDeleting(message(deleted: deleted)) } == expected)
        }
    }

    @Test(arguments: [
        (RoomType.group, false, Optional(ErrorCode.messageNotFound)), (.private, true, .messageNotFound),
        (.direct, true, .messageNotFound), (.public, false, .notAMember), (.public, true, nil),
    ])
    func `a sender who has lost the room cannot change its messages`(type: RoomType, isOpen: Bool, expected: ErrorCode?)
    {
        let rules = rules(type, role: nil, of: sender, isOpen: isOpen)
        #expect(code { try rules.checkEditing(message()) } == expected)
        #expect(code { try rules.checkDeleting(message()) } == expected)
    }

    @Test func `an archived room is read-only, but what is deleted may be deleted again`() {
        let rules = rules(archived: true, role: .owner, of: sender)
        #expect(code { try rules.checkEditing(message()) } == .roomArchived)
        #expect(code { try rules.checkDeleting(message()) } == .roomArchived)
        #expect(code { try rules.checkDeleting(message(deleted: true)) } == nil)
    }

    @Test func `neither the deleted nor the platform's own is edited`() {
        let rules = rules(role: .owner, of: sender)
        #expect(code { try rules.checkEditing(message(deleted: true)) } == .messageDeleted)
        #expect(code { try rules.checkEditing(message(.system)) } == .forbidden)
    }
}
