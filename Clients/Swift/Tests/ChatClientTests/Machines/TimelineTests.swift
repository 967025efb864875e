import Testing

@testable import ChatClient

@Suite(.timeLimit(.minutes(1))) struct TimelineTests {
    private func message(_ text: String, at time: String, type: String = "message") throws -> Message {
        var frame = messageFrame("a", 1, text: text).object ?? [:]
        frame["eventType"] = .string(type)
        frame["updatedAt"] = .string(time)
        return try #require(Message(json: frame))
    }

    @Test func `the late answer to an edit does not replace a newer edit`() throws {
        var timeline = Timeline(userID: 1, from: 0, through: 0)
        timeline.apply(.message(try message("one", at: "2026-01-01T00:00:01.000Z")))
        timeline.apply(.messageEdited(try message("three", at: "2026-01-01T00:00:03.000Z", type: "message_edited")))
        timeline.change(try message("two", at: "2026-01-01T00:00:02.000Z"))
        #expect(timeline.messages.map(\.text) == ["three"])
        timeline.change(try message("four", at: "2026-01-01T00:00:04.000Z"))
        #expect(timeline.messages.map(\.text) == ["four"])
    }

    @Test func `a page has the newest of the edits that came while it was under way`() throws {
        var timeline = Timeline(userID: 1, from: 1, through: 1)
        let asked = timeline.loadOlder(50)
        let page = try #require(asked)
        timeline.change(try message("three", at: "2026-01-01T00:00:03.000Z"))
        timeline.change(try message("two", at: "2026-01-01T00:00:02.000Z"))
        _ = timeline.page([try message("one", at: "2026-01-01T00:00:01.000Z")], hasMore: false, of: page)
        #expect(timeline.messages.map(\.text) == ["three"])
    }
}
