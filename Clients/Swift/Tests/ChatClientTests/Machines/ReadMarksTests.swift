import Testing

@testable import ChatClient

@Suite(.timeLimit(.minutes(1))) struct ReadMarksTests {
    private func rooms(_ marks: [ReadMarks.Mark]) -> [String] { marks.map(\.roomID) }

    @Test func `ten are sent at a time, the others after pauses, each room's newest`() {
        var marks = ReadMarks()
        let ids = (10..<35).map { "r\($0)" }
        #expect(marks.connected().isEmpty)
        #expect(marks.read("r10", through: 1) == [ReadMarks.Mark(roomID: "r10", seq: 1)])
        for id in ids.dropFirst() { #expect(marks.read(id, through: 1).isEmpty) }
        #expect(marks.read("r11", through: 2).isEmpty)
        #expect(marks.timePassed(499).isEmpty)
        let next = marks.timePassed(500)
        #expect(next.first == ReadMarks.Mark(roomID: "r11", seq: 2))
        #expect(rooms(next) == Array(ids[1...10]))
        #expect(rooms(marks.timePassed(1000)) == Array(ids[11...20]))
        #expect(rooms(marks.timePassed(1500)) == Array(ids[21...24]))
        #expect(marks.timePassed(2000).isEmpty)
        #expect(marks.nextDeadline == nil)
    }

    @Test func `each connection gets all that the server does not have`() {
        var marks = ReadMarks()
        marks.restore(["a": 3])
        #expect(marks.read("b", through: 1).isEmpty)
        #expect(rooms(marks.connected()) == ["a", "b"])
        let (early, late) = (marks.reported("a", through: 2), marks.reported("a", through: 3))
        #expect(!early && late)
        marks.disconnected()
        #expect(marks.nextDeadline == nil)
        #expect(marks.read("c", through: 1).isEmpty)
        #expect(rooms(marks.connected()) == ["b", "c"])
    }
}

@Suite(.timeLimit(.minutes(1))) struct OpenRoomsTests {
    @Test func `the oldest is closed before one too many is opened`() {
        var rooms = OpenRooms()
        for number in 0..<50 { #expect(rooms.open("r\(number)") == [.open("r\(number)")]) }
        // Another consumer makes it the newest.
        #expect(rooms.open("r0").isEmpty)
        #expect(rooms.open("r50") == [.close("r1"), .open("r50")])
        #expect(rooms.close("r1").isEmpty)
        #expect(rooms.close("r0") == [.close("r0")])
        #expect(rooms.open("r1") == [.open("r1")])
        #expect(rooms.ids.count == 50)
    }
}
