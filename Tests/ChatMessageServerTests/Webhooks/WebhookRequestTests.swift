import ChatEvents
import ChatStorage
import ChatTestSupport
import CommonUtil
import Testing

@testable import ChatMessageServer

@Suite(.timeLimit(.minutes(1))) struct WebhookRequestTests {
    @Test func `a body is read strictly`() throws {
        func read(_ body: JSON, isNew: Bool = true) throws -> WebhookRequest {
            try WebhookRequest(try FieldReader(body: Array(body.text.utf8)), isNew: isNew)
        }
        let all = try read([
            "url": "https://h.example/", "eventTypes": ["message", "room_created"], "roomIds": ["a"], "from": "begin",
            "secret": "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        ])
        #expect(all.types == [.message, .roomCreated] && all.roomIDs?.count == 1 && all.from == .begin)
        #expect(all.secret == [UInt8](repeating: 0, count: 24))
        #expect(try read(["url": "https://h.example/"]).from == .now)
        let url: JSON = "https://h.example/"
        for (body, field): (JSON, String) in [
            ([:], "url"), (["url": 1], "url"), (["url": url, "eventTypes": []], "eventTypes"),
            (["url": url, "eventTypes": ["typing"]], "eventTypes"),
            (["url": url, "eventTypes": "message"], "eventTypes"),
            (["url": url, "roomIds": []], "roomIds"), (["url": url, "roomIds": [".."]], "roomIds"),
            (["url": url, "roomIds": [1]], "roomIds"), (["url": url, "secret": "whsec_AAAA"], "secret"),
            (["url": url, "from": "later"], "from"),
        ] {
            #expect("\(body)") { _ = try read(body) } throws: { error in
                (error as? ChatError)?.fieldErrors.map(\.field) == [field]
            }
        }
        #expect { try read([:], isNew: false) } throws: { ($0 as? ChatError)?.code == .validationFailed }
        #expect(try read(["roomIds": ["a", "b"]], isNew: false).roomIDs?.count == 2)
        // In a change `null` is a value, of filters alone.
        let cleared = try read(["eventTypes": nil], isNew: false)
        #expect(cleared.clearsTypes && !cleared.clearsRoomIDs && cleared.types == nil)
        #expect { try read(["url": nil, "secret": nil], isNew: false) } throws: {
            ($0 as? ChatError)?.fieldErrors.map(\.field) == ["body"]
        }
        let new = try read(["url": url, "eventTypes": nil, "roomIds": nil])
        #expect(!new.clearsTypes && !new.clearsRoomIDs && new.types == nil && new.roomIDs == nil)
    }
}
