import Foundation
import NIOCore
import Testing

@testable import ChatLab

@Suite(.timeLimit(.minutes(1))) struct UserSocketStateTests {
    private typealias State = UserSocketState
    private typealias Place = UserCall.Place

    private func frame(_ text: String) throws -> UserFrame {
        try #require(UserFrame(ByteBuffer(string: text)))
    }

    private func take(_ state: inout State, _ text: String) throws -> [State.Step] { state.take(try frame(text)) }

    private func rooms(_ places: [(String, Int)], _ more: String = #","isAll":true,"isLast":true"#) -> String {
        let list = places.map { #"{"roomId":"\#($0)","lastSeq":\#($1),"mark":"\#($0)-mark-\#($1)"}"# }
        return #"{"eventType":"rooms","rooms":[\#(list.joined(separator: ","))],"removed":[]\#(more)}"#
    }

    /// A state that has just become live in `a` after 3 and `b` after 0.
    private func live(_ state: State = State()) throws -> State {
        var state = state
        _ = try take(&state, #"{"eventType":"ready"}"#)
        _ = try take(&state, rooms([("a", 3), ("b", 0)]))
        _ = try take(&state, #"{"eventType":"synced","cursor":"c1"}"#)
        return state
    }

    private func event(_ state: inout State, _ room: String, _ seq: Int, leave: Bool = false) -> [State.Step] {
        state.event(of: room, at: Place(seq, "mark-\(seq)"), removesUser: leave)
    }

    // MARK: The first connection

    @Test func `a newcomer syncs with nothing, and its rooms begin where the list says`() throws {
        var state = State()
        #expect(try take(&state, #"{"eventType":"ready"}"#) == [.send([#"{"type":"sync"}"#])])
        #expect(
            try take(&state, rooms([("a", 3)])) == [.began("a", Place(3, "a-mark-3"))])
        #expect(try take(&state, #"{"eventType":"synced","cursor":"c1"}"#) == [.synced])
        #expect(state.isLive && state.cursor == "c1")
        #expect(event(&state, "a", 4) == [.event("a")])
        #expect(state.places["a"] == Place(4, "mark-4"))
    }

    @Test func `an event of an unknown room, and a part of the rooms without a cursor, break the contract`() throws {
        var state = State()
        _ = try take(&state, #"{"eventType":"ready"}"#)
        #expect(event(&state, "a", 1).count == 1)
        let steps = try take(&state, rooms([("a", 3)], #","isLast":true"#))
        #expect(steps.first == .violation("a part of the rooms without a cursor"))
    }

    // MARK: A return

    @Test func `a return names each room with its place and its mark, and the cursor`() throws {
        var state = try live()
        state.reconnect()
        #expect(!state.isLive)
        #expect(
            try take(&state, #"{"eventType":"ready"}"#) == [
                .send([
                    #"{"type":"sync","cursor":"c1","rooms":{"a":{"seq":3,"mark":"a-mark-3"},"b":{"seq":0}}}"#
                ])
            ])
    }

    @Test func `what was missed comes before its caught_up, and nothing comes where nothing was missed`() throws {
        var state = try live()
        state.reconnect()
        _ = try take(&state, #"{"eventType":"ready"}"#)
        #expect(try take(&state, rooms([("a", 5)], #","isLast":true"#)) == [])
        #expect(event(&state, "a", 4) == [.event("a")])
        #expect(event(&state, "a", 5) == [.event("a")])
        #expect(try take(&state, #"{"eventType":"caught_up","roomId":"a","seq":5,"mark":"mark-5"}"#) == [])
        #expect(try take(&state, #"{"eventType":"synced","cursor":"c2"}"#) == [.synced])
        #expect(state.places == ["a": Place(5, "mark-5"), "b": Place(0, "b-mark-0")])
    }

    @Test(arguments: [
        (#"{"eventType":"caught_up","roomId":"a","seq":5}"#, "at another place than the last event"),
        (#"{"eventType":"caught_up","roomId":"a","seq":4,"mark":"other1"}"#, "with another mark than the last event"),
        (#"{"eventType":"caught_up","roomId":"b","seq":0}"#, "where nothing was missing"),
        (#"{"eventType":"caught_up","roomId":"z","seq":1}"#, "of a room that is not the user's"),
    ])
    func `a caught_up that is not so breaks the contract`(text: String, flaw: String) throws {
        var state = try live()
        state.reconnect()
        _ = try take(&state, #"{"eventType":"ready"}"#)
        _ = try take(&state, rooms([], #","isLast":true"#))
        _ = event(&state, "a", 4)
        #expect(try take(&state, text) == [.violation("caught_up \(flaw)")])
    }

    @Test func `what a whole list lacks, and what is removed from a part, is no longer the user's`() throws {
        var state = try live()
        state.reconnect()
        _ = try take(&state, #"{"eventType":"ready"}"#)
        #expect(
            try take(&state, rooms([("c", 2)])) == [
                .began("c", Place(2, "c-mark-2")), .ended("a", reason: State.unlisted, wasLive: false),
                .ended("b", reason: State.unlisted, wasLive: false),
            ])
        state = try live()
        state.reconnect()
        _ = try take(&state, #"{"eventType":"ready"}"#)
        #expect(
            try take(&state, #"{"eventType":"rooms","rooms":[],"removed":["a","z"],"isLast":true}"#) == [
                .ended("a", reason: State.unlisted, wasLive: false)
            ])
    }

    @Test func `a room that is added while a whole list is sent is the user's`() throws {
        var state = State()
        _ = try take(&state, #"{"eventType":"ready"}"#)
        _ = try take(&state, rooms([("a", 3)], #","isAll":true"#))
        #expect(
            try take(&state, #"{"eventType":"room_added","room":{"roomId":"n","lastSeq":1}}"#) == [
                .began("n", Place(1))
            ])
        #expect(try take(&state, rooms([("b", 1)])) == [.began("b", Place(1, "b-mark-1"))])
        #expect(state.places.keys.sorted() == ["a", "b", "n"])
    }

    // MARK: Other logs, and long absences

    @Test func `a reset drops the log, and the room goes on after its new end`() throws {
        var state = try live()
        let text = #"{"eventType":"room_reset","roomId":"a","seq":1,"mark":"new001","room":{"roomId":"a","lastSeq":1}}"#
        #expect(try take(&state, text) == [.reset("a", Place(1, "new001"))])
        #expect(state.places["a"] == Place(1, "new001"))
    }

    @Test func `without heeding marks a reset is nothing, and no mark is sent`() throws {
        var state = try live(State(checksMarks: false))
        #expect(try take(&state, #"{"eventType":"room_reset","roomId":"a","seq":1}"#) == [])
        #expect(state.places["a"]?.seq == 3)
        state.reconnect()
        #expect(
            try take(&state, #"{"eventType":"ready"}"#) == [
                .send([#"{"type":"sync","cursor":"c1","rooms":{"a":{"seq":3},"b":{"seq":0}}}"#])
            ])
    }

    @Test func `a room is skipped only where more is missing than asked for`() throws {
        var state = try live(State(maxMissed: 10))
        state.reconnect()
        _ = try take(&state, #"{"eventType":"ready"}"#)
        _ = try take(&state, rooms([], #","isLast":true"#))
        #expect(
            try take(&state, #"{"eventType":"room_skipped","roomId":"a","seq":14}"#) == [.skipped("a", Place(14))])
        #expect(try take(&state, #"{"eventType":"room_skipped","roomId":"b","seq":10}"#).count == 2)
    }

    // MARK: Membership

    @Test func `nothing of a room follows its user's leave until the user is added again`() throws {
        var state = try live()
        #expect(event(&state, "a", 4, leave: true) == [.event("a")])
        #expect(
            try take(&state, #"{"eventType":"room_removed","roomId":"a","reason":"left"}"#) == [
                .ended("a", reason: "left", wasLive: true)
            ])
        #expect(event(&state, "a", 5) == [.violation("an event of a room that is not the user's")])
        _ = try take(&state, #"{"eventType":"room_added","room":{"roomId":"a","lastSeq":6}}"#)
        #expect(event(&state, "a", 7) == [.event("a")])
        _ = event(&state, "a", 8, leave: true)
        #expect(event(&state, "a", 9).first == .violation("an event after the user had left its room"))
    }

    @Test func `a coming or going of what is there or not there breaks the contract`() throws {
        var state = try live()
        #expect(
            try take(&state, #"{"eventType":"room_added","room":{"roomId":"a","lastSeq":3}}"#).first
                == .violation("room_added of a room that was the user's"))
        #expect(
            try take(&state, #"{"eventType":"room_removed","roomId":"z","reason":"left"}"#) == [
                .violation("room_removed of a room that was not the user's")
            ])
    }

    // MARK: Frames

    @Test func `a sync of many rooms is several frames below the limit, of which all but the last say that more come`()
        throws
    {
        let places = Dictionary(
            uniqueKeysWithValues: (0..<3000).map { ("room-\($0)", Place($0 + 1, "abcdefghijk")) })
        let texts = UserCall.sync(cursor: "c", rooms: places, maxMissed: 100)
        #expect(texts.count > 1)
        #expect(texts.allSatisfy { $0.utf8.count < 64 * 1024 })
        #expect(texts[0].hasPrefix(#"{"type":"sync","cursor":"c","maxMissed":100,"rooms":{"#))
        #expect(texts.dropLast().allSatisfy { $0.hasSuffix(#","more":true}"#) })
        #expect(texts.last?.contains("more") == false)
        #expect(texts.joined().components(separatedBy: #""seq":"#).count == 3001)
    }

    // MARK: Streams

    @Test func `a stream catches up also in a room that it did not know, and may lose it without the event`() throws {
        var state = try live(State(isStream: true))
        state.reconnect()
        _ = try take(&state, #"{"eventType":"ready"}"#)
        let listed = try take(&state, rooms([("c", 5)], #","isLast":true"#))
        #expect(listed == [.began("c", Place(5, "c-mark-5"))])
        // What came since its cursor is sent again.
        #expect(event(&state, "c", 4).isEmpty)
        let removed = try take(&state, #"{"eventType":"room_removed","roomId":"c","reason":"removed"}"#)
        #expect(removed == [.ended("c", reason: "removed", wasLive: false)])
    }
}
