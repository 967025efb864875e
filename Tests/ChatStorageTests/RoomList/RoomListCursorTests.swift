import ChatStorage
import ChatTestSupport
import CommonUtil
import Testing

@Suite(.timeLimit(.minutes(2))) struct RoomListCursorTests {
    @Test(arguments: [(Int64(1), Int64(1)), (UserID.largest, ListSnapshotID.largest)])
    func `a cursor is read as it was written, and is short`(user: Int64, snapshot: Int64) {
        let cursor = RoomListCursor(userID: UserID(user), snapshotID: ListSnapshotID(snapshot))
        #expect(RoomListCursor(text: cursor.text) == cursor)
        #expect(cursor.text.utf8.count <= RoomListCursor.maximumLength)
        #expect(cursor.text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-" || $0 == "_") })
    }

    @Test func `text that is no cursor of a room list is none`() {
        let good = RoomListCursor(userID: UserID(7), snapshotID: ListSnapshotID(9)).text
        let others = [
            ["7"], ["7", "0"], ["0", "9"], ["7", "-9"], ["7", "09"], ["7", "9223372036854775808"], ["x", "9"],
            ["9007199254740992", "9"], ["7", "9", "1"], ["7", ""],
        ].map { Cursor(of: "room list", $0).text }
        for text in ["", "?", "17.abc", String(good.dropLast()), good + "A", good + good, " " + good] + others
            + [Cursor(of: "rooms", ["7", "9"]).text, String(repeating: "A", count: 10_000), "\u{0}", "äöü"]
        {
            #expect(RoomListCursor(text: text) == nil, "\(text.prefix(60))")
        }
    }

    @Test func `fuzzing: a cursor that is taken is one that a list gives`() throws {
        var fuzzer = Fuzzer("room-list-cursors")
        try fuzzer.run { input, _ in
            let text = String(decoding: input, as: UTF8.self)
            guard let cursor = RoomListCursor(text: text) else { return nil }
            guard cursor.text.utf8.count <= RoomListCursor.maximumLength else { return "too long: \(cursor)" }
            return RoomListCursor(text: cursor.text) == cursor ? nil : "another one comes back: \(cursor)"
        }
    }
}
