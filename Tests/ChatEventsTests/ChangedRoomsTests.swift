import ChatEvents
import CommonUtil
import Testing

@Suite(.timeLimit(.minutes(1))) struct ChangedRoomsTests {
    @Test func `is read as it was written`() {
        let message = ChangedRooms([RoomID(verified: "hall"), RoomID(verified: "a-1")])
        #expect(String(decoding: message.jsonBytes, as: UTF8.self) == #"{"roomIds":["hall","a-1"]}"#)
        #expect(ChangedRooms(json: message.jsonBytes) == message)
    }

    @Test func `is not on the channel of a room or a user`() {
        #expect(EventChannel(name: ChangedRooms.channel) == nil)
    }

    @Test(arguments: [
        "", "{}", "[]", #"{"roomIds":{}}"#, #"{"roomIds":[7]}"#, #"{"roomIds":["a b"]}"#, #"{"roomIds":["hall",null]}"#,
        #"{"roomIds":[],"roomIds":[]}"#,
    ])
    func `a malformed message is refused`(text: String) {
        #expect(ChangedRooms(json: Array(text.utf8)) == nil)
    }

    @Test func `has a bound`() {
        let most = ChangedRooms((0..<ChangedRooms.maximumCount).map { _ in RoomID.random() })
        #expect(ChangedRooms(json: most.jsonBytes) == most && most.jsonBytes.count < 65_536)
        #expect(ChangedRooms(json: ChangedRooms(most.roomIDs + [RoomID.random()]).jsonBytes) == nil)
    }
}
