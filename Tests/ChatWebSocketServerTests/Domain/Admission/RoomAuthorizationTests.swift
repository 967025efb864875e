import ChatEvents
import CommonUtil
import Testing

@testable import ChatWebSocketServer

@Suite(.timeLimit(.minutes(1))) struct RoomAuthorizationTests {
    private func code(
        isPublic: Bool, isMember: Bool, lastSeq: Seq? = nil, lastMark: EventMark? = nil,
        _ authMode: AuthMode = .token
    ) -> CloseCode? {
        let authorization = RoomAuthorization(
            isPublic: isPublic, isMember: isMember, head: 5, lastMark: event(lastSeq ?? 0).mark)
        do throws(CloseReason) {
            let checked = try RoomAuthorization.check(
                authorization, lastSeq: lastSeq, lastMark: lastMark, authMode: authMode)
            #expect(checked == authorization)
            return nil
        } catch {
            return error.code
        }
    }

    @Test(arguments: [true, false], [AuthMode.token, .trusted])
    func `members are authorized`(isPublic: Bool, authMode: AuthMode) {
        #expect(code(isPublic: isPublic, isMember: true, authMode) == nil)
    }

    @Test func `others are authorized for public rooms of a trusted server only`() {
        #expect(code(isPublic: true, isMember: false) == .notAMember)
        #expect(code(isPublic: true, isMember: false, .trusted) == nil)
        #expect(code(isPublic: false, isMember: false) == .noSuchRoom)
        #expect(code(isPublic: false, isMember: false, .trusted) == .noSuchRoom)
    }

    @Test func `a room that does not exist is refused as a hidden one`() {
        #expect(throws: CloseReason(.noSuchRoom, "no such room")) {
            try RoomAuthorization.check(nil, lastSeq: nil, lastMark: nil, authMode: .token)
        }
    }

    @Test func `a cursor may be at the head, not beyond it`() {
        #expect(code(isPublic: false, isMember: true, lastSeq: 5) == nil)
        #expect(code(isPublic: false, isMember: true, lastSeq: 6) == .aheadOfLog)
    }

    @Test func `a cursor is refused whose mark is another log's, after the membership was checked`() {
        let (known, other) = (event(4).mark, event(4, log: 1).mark)
        #expect(code(isPublic: false, isMember: true, lastSeq: 4, lastMark: known) == nil)
        #expect(code(isPublic: false, isMember: true, lastSeq: 4, lastMark: other) == .aheadOfLog)
        #expect(code(isPublic: true, isMember: false, lastSeq: 4, lastMark: other) == .notAMember)
        #expect(code(isPublic: false, isMember: false, lastSeq: 4, lastMark: other) == .noSuchRoom)
        #expect(code(isPublic: true, isMember: false, lastSeq: 6, lastMark: known) == .notAMember)
    }
}
