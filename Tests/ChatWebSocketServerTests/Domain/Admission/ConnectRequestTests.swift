import ChatEvents
import CommonUtil
import Testing

@testable import ChatWebSocketServer

@Suite(.timeLimit(.minutes(2))) struct ConnectRequestTests {
    private func request(
        _ query: [(key: String, value: String)], _ mode: AuthMode = .trusted
    ) throws(CloseReason) -> ConnectRequest {
        try ConnectRequest(query: query, authMode: mode)
    }

    @Test func `room, user and cursor are read`() throws {
        let request = try request([("roomId", "hall"), ("userId", "7"), ("lastSeq", "42"), ("more", "x")])
        #expect(request.roomID == hall)
        #expect(request.claimedUserID == UserID(7))
        #expect(request.lastSeq == 42)
    }

    @Test func `user and cursor may be left out`() throws {
        let request = try request([("roomId", "hall")])
        #expect(request.claimedUserID == nil)
        #expect(request.lastSeq == nil)
    }

    @Test func `of a parameter that is given twice the last value counts`() throws {
        #expect(try request([("roomId", "attic"), ("roomId", "hall")]).roomID == hall)
    }

    @Test func `a server in token mode ignores the claimed user`() throws {
        #expect(try request([("roomId", "hall"), ("userId", "7")], .token).claimedUserID == nil)
        #expect(try request([("roomId", "hall"), ("userId", "nobody")], .token).claimedUserID == nil)
    }

    @Test(arguments: ["0", "1", "9223372036854775807"])
    func `a cursor is an integer not below 0`(text: String) throws {
        #expect(try request([("roomId", "hall"), ("lastSeq", text)]).lastSeq == Seq(text))
    }

    @Test(arguments: ["", "-1", "-0", "+1", "1.0", "1e3", " 1", "x", "9223372036854775808", "٣"])
    func `any other cursor is refused`(text: String) {
        #expect(throws: CloseReason(.invalidData, "lastSeq must be an integer not below 0")) {
            try request([("roomId", "hall"), ("lastSeq", text)])
        }
    }

    @Test func `a mark comes with its event, and an empty one is none`() throws {
        let mark = "0123456789-"
        #expect(try request([("roomId", "hall"), ("lastSeq", "3"), ("lastMark", mark)]).lastMark == EventMark(mark))
        #expect(try request([("roomId", "hall"), ("lastSeq", "3"), ("lastMark", "")]).lastMark == nil)
        #expect(try request([("roomId", "hall"), ("lastMark", "")]).lastMark == nil)
        for cursor in [nil, "0"] {
            let query = [("roomId", "hall"), ("lastMark", mark)] + (cursor.map { [("lastSeq", $0)] } ?? [])
            #expect(throws: CloseReason(.invalidData, "lastMark needs the lastSeq of its event")) {
                try request(query.map { (key: $0.0, value: $0.1) })
            }
        }
    }

    @Test(arguments: ["abcde", "0123456789abcdefg", "abc.efg", "abc efg", "abcdé1"])
    func `a mark that is none is refused`(text: String) {
        #expect(throws: CloseReason(.invalidData, "lastMark must be \(EventMark.rule)")) {
            try request([("roomId", "hall"), ("lastSeq", "3"), ("lastMark", text)])
        }
    }

    @Test(arguments: ["", "a b", "ä", ".", "..", "public", "a/b", String(repeating: "x", count: 65)])
    func `an invalid room is refused`(text: String) {
        let error = #expect(throws: CloseReason.self) { try request([("roomId", text)]) }
        #expect(error?.code == .invalidData)
    }

    @Test func `a room is required`() {
        #expect(throws: CloseReason(.invalidData, "roomId is required")) { try request([("roomid", "hall")]) }
    }

    @Test(arguments: ["", "0", "-1", "+7", "07", "x", "9007199254740992"])
    func `an invalid user is refused in trusted mode`(text: String) {
        let error = #expect(throws: CloseReason.self) { try request([("roomId", "hall"), ("userId", text)]) }
        #expect(error?.code == .invalidData)
    }
}
