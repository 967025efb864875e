import ChatEvents
@testable import ChatStorage
import CommonUtil
import Testing

@testable import ChatSystemServer

@Suite(.timeLimit(.minutes(2))) struct RoomRulesTests {
    private func room(_ type: RoomType = .group, archived: Bool = false) -> Room {
        Room(
            roomID: RoomID(verified: "r"), name: "R", type: type, ownerID: UserID(1), memberCount: 3, lastSeq: 0,
            mark: nil,
            createdAt: Timestamp(microseconds: 0), archivedAt: archived ? Timestamp(microseconds: 1) : nil)
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
        (MemberRole.owner, MemberRole.member, nil), (.owner, .admin, nil), (.owner, .owner, ErrorCode.validationFailed),
        (.admin, .member, nil), (.admin, .admin, .forbidden), (.member, .member, .forbidden),
    ])
    func `adding needs an admin or the owner`(actor: MemberRole, role: MemberRole, expected: ErrorCode?) {
        #expect(code { try RoomRules.checkAdding(to: room(), by: actor, as: role) } == expected)
    }

    @Test(arguments: [
        (MemberRole.owner, MemberRole.member, nil), (.owner, .admin, nil), (.admin, .member, nil),
        (.admin, .admin, ErrorCode.forbidden), (.admin, .owner, .forbidden), (.member, .member, .forbidden),
    ])
    func `removing`(actor: MemberRole, target: MemberRole, expected: ErrorCode?) {
        #expect(code { try RoomRules.checkRemoving(target, from: room(), by: actor) } == expected)
    }

    @Test(arguments: [
        (MemberRole.owner, MemberRole.member, MemberRole.admin, nil),
        (.owner, .admin, .member, nil), (.owner, .owner, .member, ErrorCode.ownerRole),
        (.owner, .member, .owner, .validationFailed), (.admin, .member, .admin, .forbidden),
    ])
    func `changing roles`(actor: MemberRole, target: MemberRole, role: MemberRole, expected: ErrorCode?) {
        #expect(code { try RoomRules.checkRoleChange(of: target, to: role, in: room(), by: actor) } == expected)
    }

    @Test func `renaming is for the owner and admins, archiving for the owner`() {
        #expect(code { try RoomRules.checkRenaming(room(), by: .admin) } == nil)
        #expect(code { try RoomRules.checkRenaming(room(), by: .member) } == .forbidden)
        #expect(code { try RoomRules.checkArchiving(room(), by: .owner) } == nil)
        #expect(code { try RoomRules.checkArchiving(room(), by: .admin) } == .forbidden)
    }

    @Test func `direct and archived rooms keep their members`() {
        #expect(code { try RoomRules.checkOpen(room(.direct)) } == .directRoom)
        #expect(code { try RoomRules.checkOpen(room(archived: true)) } == .roomArchived)
        #expect(code { try RoomRules.checkOpen(room()) } == nil)
    }
}
