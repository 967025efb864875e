import CommonUtil
import Testing

@testable import ChatWebSocketServer

@Suite(.timeLimit(.minutes(1))) struct RoomTableTests {
    @Test func `rooms are found, added once and removed, in any order`() throws {
        let roomIDs = try (0..<200).map { try #require(RoomID("room-\($0)")) }
        var table = RoomTable<RoomID>()
        for roomID in roomIDs.shuffled() {
            let isAdded = table.insert(roomID)
            #expect(isAdded)
        }
        for roomID in roomIDs.shuffled() {
            let isAdded = table.insert(roomID)
            #expect(!isAdded)
            #expect(table[roomID] == roomID)
        }
        #expect(table.elements.map(\.rawValue) == roomIDs.map(\.rawValue).sorted())
        for roomID in roomIDs.shuffled().prefix(100) {
            let removed = table.remove(roomID)
            #expect(removed == roomID)
            #expect(table[roomID] == nil)
            let again = table.remove(roomID)
            #expect(again == nil)
        }
        #expect(table.elements.count == 100)
    }
}
