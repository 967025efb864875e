import Testing

@testable import ChatWebSocketServer

@Suite(.timeLimit(.minutes(2))) struct RingBudgetTests {
    private final class Room {
        let name: String
        var slot: RingBudget<Room>.Slot?
        init(_ name: String) { self.name = name }
    }

    private func note(_ room: Room, _ bytes: Int, _ budget: inout RingBudget<Room>) {
        room.slot = budget.note(room, slot: room.slot, bytes: bytes)
    }

    private func excess(_ budget: inout RingBudget<Room>) -> [String] {
        var names: [String] = []
        while let room = budget.popExcess() {
            room.slot = nil
            names.append(room.name)
        }
        return names
    }

    @Test func `within the bound no room loses its ring`() {
        var budget = RingBudget<Room>(maximumBytes: 100)
        let (a, b) = (Room("a"), Room("b"))
        note(a, 40, &budget)
        note(b, 40, &budget)
        note(a, 60, &budget)
        #expect(budget.bytes == 100)
        #expect(excess(&budget).isEmpty)
    }

    @Test func `beyond the bound the rooms whose last event is oldest lose their rings`() {
        var budget = RingBudget<Room>(maximumBytes: 100)
        let rooms = ["a", "b", "c", "d"].map(Room.init)
        for room in rooms { note(room, 30, &budget) }
        #expect(excess(&budget) == ["a"])
        note(rooms[1], 35, &budget)
        note(rooms[0], 30, &budget)
        #expect(excess(&budget) == ["c"])
        #expect(budget.bytes == 95)
        note(rooms[3], 90, &budget)
        #expect(excess(&budget) == ["b", "a"])
        #expect(budget.bytes == 90)
    }

    @Test func `a ring that is too large alone is removed, too`() {
        var budget = RingBudget<Room>(maximumBytes: 100)
        let room = Room("a")
        note(room, 101, &budget)
        #expect(excess(&budget) == ["a"])
        #expect(budget.bytes == 0)
        note(room, 5, &budget)
        #expect(excess(&budget).isEmpty)
    }

    @Test(arguments: 0..<20 as Range<UInt64>)
    func `in any order of events and removals the sum and the order are right`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var budget = RingBudget<Room>(maximumBytes: 500)
        let rooms = (0..<12).map { Room("\($0)") }
        // A simple model: names and bytes, the room whose last event is oldest first.
        var expected: [(name: String, bytes: Int)] = []
        for _ in 0..<500 {
            guard let room = rooms.randomElement(using: &random) else { return }
            expected.removeAll { $0.name == room.name }
            if Int.random(in: 0..<4, using: &random) == 0, let slot = room.slot {
                budget.remove(slot)
                room.slot = nil
            } else {
                let bytes = Int.random(in: 0...120, using: &random)
                note(room, bytes, &budget)
                expected.append((room.name, bytes))
            }
            var gone: [String] = []
            while expected.map(\.bytes).reduce(0, +) > 500 { gone.append(expected.removeFirst().name) }
            #expect(excess(&budget) == gone)
            #expect(budget.bytes == expected.map(\.bytes).reduce(0, +))
        }
    }
}
