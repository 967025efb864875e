import ChatClient
import Testing

@testable import ChatCommand

@Suite(.timeLimit(.minutes(1))) struct TailLineTests {
    private func event(_ json: String) throws -> ChatEvent {
        let object = try #require(try JSONValue(parsing: json).object)
        return try #require(ChatEvent(json: object))
    }

    private func text(_ json: String) async throws -> String {
        await TailLine.text(try event(json)) { "user \($0)" }
    }

    @Test func `an event for programs is what the server sent, in its order`() throws {
        let json = #"{"zeta":1.10,"eventType":"poll_opened","seq":3,"roomId":"a","x":"\u001b"}"#
        #expect(try TailLine.json(event(json)) == json)
    }

    @Test func `an event for people is one line`() async throws {
        let message = """
            {"eventType":"message","seq":3,"messageId":5,"senderId":7,"roomId":"a","messageType":"text",\
            "contentJson":"{\\"text\\":\\"a\\\\nb\\\\u001bc\\"}","sentAt":"2026-11-30T09:00:00.000Z"}
            """
        #expect(try await text(message) == "3 2026-11-30T09:00:00.000Z user 7: a⏎b\u{FFFD}c")
        let left = #"{"eventType":"member_left","seq":4,"roomId":"a","userId":8,"actorId":7,"at":"T"}"#
        #expect(try await text(left) == "4 T user 8 left")
        #expect(try await text(#"{"eventType":"poll_opened","seq":5,"roomId":"a"}"#) == "5 poll_opened")
    }

    @Test func `the line of a reset has the head of the log that is there`() {
        let line = TailLine.reset(roomID: "a", head: LogPosition(seq: 3, mark: "abcdef"))
        #expect(line == #"{"eventType":"reset","roomId":"a","seq":3,"mark":"abcdef"}"#)
        #expect(TailLine.reset(roomID: "a", head: nil) == #"{"eventType":"reset","roomId":"a"}"#)
    }
}
