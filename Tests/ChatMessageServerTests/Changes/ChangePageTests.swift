import ChatEvents
import ChatStorage
import CommonUtil
import Testing

@testable import ChatMessageServer

@Suite(.timeLimit(.minutes(1))) struct ChangePageTests {
    private let begin = ChangePosition(run: 0, seq: 0, mark: 5)

    private func item(_ seq: Seq, bytes: Int = 10) -> ChangeRepository.Item {
        let room = RoomCreated(
            roomID: RoomID(verified: "hall"), name: String(repeating: "x", count: bytes), type: "group", memberCount: 0,
            members: [], actorID: nil, at: Timestamp(microseconds: 0))
        return .init(position: ChangePosition(run: 1, seq: seq, mark: 7), change: .roomCreated(room))
    }

    @Test func `a cursor is read as it was written, and nothing else is`() throws {
        for place in [
            begin, ChangePosition(run: 1, seq: 0, mark: -1), ChangePosition(run: .max, seq: .max, mark: .min),
        ] {
            let text = ChangeCursor.text(of: place)
            #expect(ChangeCursor.position(of: text) == place)
            #expect(ChangeStart(text: text) == .after(place))
            #expect(ChangeCursor.position(of: text + "A") == nil)
            #expect(ChangeCursor.position(of: String(text.dropLast())) == nil)
            #expect(ChangeCursor.position(of: text + "=") == nil)
        }
        // Another version; negative numbers; no cursor at all.
        let bytes = try #require(Base64URL.decode(ChangeCursor.text(of: begin)))
        #expect(ChangeCursor.position(of: Base64URL.encode([2] + bytes.dropFirst())) == nil)
        #expect(ChangeCursor.position(of: ChangeCursor.text(of: ChangePosition(run: -1, seq: 0, mark: 0))) == nil)
        #expect(ChangeCursor.position(of: ChangeCursor.text(of: ChangePosition(run: 1, seq: -1, mark: 0))) == nil)
        for text in ["", "0", "Begin", "now ", "é", String(repeating: "A", count: 100_000)] {
            #expect(ChangeStart(text: text) == nil)
        }
        #expect(ChangeStart(text: "begin") == .begin)
        #expect(ChangeStart(text: "now") == .now)
    }

    @Test func `a page ends with the number of events that is asked for`() {
        var page = ChangePage(after: begin, limit: 2)
        #expect(page.wanted == 2)
        for seq in 0...3 { page.append(item(Seq(seq))) }
        #expect(page.isFull)
        #expect(page.count == 2)
        #expect(page.next == ChangePosition(run: 1, seq: 1, mark: 7))
    }

    @Test func `a page has at most 1 MiB, but one event at least`() {
        var page = ChangePage(after: begin, limit: 1_000)
        var seq: Seq = 0
        while !page.isFull {
            page.append(item(seq, bytes: 60_000))
            seq += 1
        }
        #expect(page.count == 17)
        #expect(page.jsonBytes.count <= ChangePage.maximumBytes)
        #expect(page.next.seq == 16)
        // What did not fit is not passed over.
        page.advance(to: ChangePosition(run: 9, seq: 0, mark: 1))
        #expect(page.next.seq == 16)

        var large = ChangePage(after: begin, limit: 1_000)
        large.append(item(0, bytes: 2_000_000))
        large.append(item(1))
        #expect(large.count == 1)
        #expect(large.isFull)
    }

    @Test func `fewer events are read where they are large`() {
        var page = ChangePage(after: begin, limit: 1_000)
        #expect(page.wanted == 100)
        page.append(item(0, bytes: 60_000))
        #expect((10...20).contains(page.wanted))
        var small = ChangePage(after: begin, limit: 1_000)
        small.append(item(0))
        #expect(small.wanted == 999)
    }

    @Test func `a page without events moves on, and never back`() {
        var page = ChangePage(after: ChangePosition(run: 5, seq: 3, mark: 1), limit: 10)
        page.advance(to: ChangePosition(run: 5, seq: 2, mark: 1))
        #expect(page.next.seq == 3)
        page.advance(to: ChangePosition(run: 6, seq: 1, mark: 2))
        #expect(page.next == ChangePosition(run: 6, seq: 1, mark: 2))
        #expect(page.isEmpty)
    }
}
