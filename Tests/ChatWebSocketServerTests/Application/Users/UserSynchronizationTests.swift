import ChatEvents
import ChatStorage
import ChatTestSupport
import CommonUtil
import NIOCore
import Testing

@testable import ChatWebSocketServer

/// The synchronization of a session while its rooms go on, with a log in memory.
@Suite(.timeLimit(.minutes(1))) struct UserSynchronizationTests {
    /// A frame by its type and its `seq`.
    private func outline(_ frame: ByteBuffer) -> String {
        let event = EventEnvelope(Array(MessageEvent.json(of: frame)))
        return [event?.type?.rawValue, event?.seq.map { "\($0)" }].compactMap(\.self).joined(separator: " ")
    }

    @Test func `caught_up comes after all that the rooms show, although the list and the feed are older`() async throws
    {
        let fixture = try await DeliveryFixture(log: events(1...8))
        let other = try await fixture.session(head: 4)
        fixture.receive(5, 6)
        try await other.frames.first(2)
        // Events 7 and 8 are stored after the list is read and before its rooms are, and Redis has not brought them yet.
        let entry = RoomList.Entry(roomID: hall, lastSeq: 6, lastReadSeq: 0, isChanged: true, seqAtCursor: 4)
        fixture.log.setUserRooms(
            RoomList(version: 1, cursorState: .valid, entries: [entry], removed: []), [listedRoom(lastSeq: 8)])
        let frames = try await fixture.userSession(SyncRequest(namesAllRooms: true))
        let all = try await frames.events { $0.last.map(outline) == "synced" }
        #expect(
            all.map(outline) == [
                "ready", "rooms", "room_updated 5", "room_updated 6", "room_updated 7", "room_updated 8",
                "caught_up 8", "synced",
            ])
    }
}
