import ChatEvents
import CommonUtil
import Testing

@Suite(.timeLimit(.minutes(1))) struct UserChangeTests {
    private static let hall = RoomID(verified: "hall")
    private static let added = UserChange(userID: UserID(5), version: 3, roomID: hall, kind: .roomAdded, seq: 0)
    private static let read = UserChange(
        userID: UserID(UserID.largest), version: Int64.max, roomID: hall, kind: .read, seq: Seq.max)

    @Test func `a change is written as servers expect it`() {
        #expect(
            String(decoding: Self.added.jsonBytes, as: UTF8.self)
                == #"{"eventType":"user_state","userId":5,"version":3,"roomId":"hall","change":"room_added","seq":0}"#)
        #expect(UserChange.Kind.allCases.map(\.rawValue) == ["room_added", "read"])
    }

    @Test(arguments: [added, read])
    func `a change is read as it was written`(change: UserChange) {
        #expect(UserChange(json: change.jsonBytes) == change)
    }

    @Test func `members that a later release adds do not matter`() {
        let json =
            #"{"eventType":"user_state","userId":5,"version":3,"roomId":"hall","change":"room_added","seq":0,"x":[]}"#
        #expect(UserChange(json: Array(json.utf8)) == Self.added)
    }

    @Test(arguments: [
        "", "{}", "[]", "null", #"{"eventType":"read","userId":5}"#,
        #"{"eventType":"user_state","userId":5,"version":3,"roomId":"hall","change":"room_added"}"#,
        #"{"eventType":"user_state","userId":5,"version":0,"roomId":"hall","change":"read","seq":1}"#,
        #"{"eventType":"user_state","userId":5,"version":3,"roomId":"hall","change":"read","seq":-1}"#,
        #"{"eventType":"user_state","userId":"5","version":3,"roomId":"hall","change":"read","seq":1}"#,
        #"{"eventType":"user_state","userId":0,"version":3,"roomId":"hall","change":"read","seq":1}"#,
        #"{"eventType":"user_state","userId":5,"version":3.5,"roomId":"hall","change":"read","seq":1}"#,
        #"{"eventType":"user_state","userId":5,"version":3,"roomId":"a b","change":"read","seq":1}"#,
        #"{"eventType":"user_state","userId":5,"version":3,"roomId":"hall","change":"other","seq":1}"#,
        #"{"eventType":"user_state","userId":5,"version":9223372036854775808,"roomId":"hall","change":"read","seq":1}"#,
    ])
    func `what is no change is refused`(json: String) {
        #expect(UserChange(json: Array(json.utf8)) == nil)
    }
}
