import ChatStorage
import CommonUtil
import Testing

@testable import ChatMessageServer

@Suite(.timeLimit(.minutes(2))) struct PostRequestTests {
    private func fieldsAtFault(_ json: String) -> [String] {
        do {
            _ = try PostRequest.draft(try FieldReader(body: Array(json.utf8)), senderID: UserID(1))
            return []
        } catch {
            return error.fieldErrors.map(\.field)
        }
    }

    @Test func `a whole request becomes a draft`() throws {
        let json = """
            {"roomId":"r","messageType":"text","payload":{"text":"x"},"replyToMessageId":7,"clientMessageId":"k"}
            """
        let draft = try PostRequest.draft(try FieldReader(body: Array(json.utf8)), senderID: UserID(1))
        #expect(draft.roomID == RoomID("r"))
        #expect(draft.contentJSON == #"{"text":"x"}"#)
        #expect(draft.replyToMessageID == MessageID(7))
        #expect(draft.clientMessageID == "k")
        #expect(draft.requestHash.count == 32)
    }

    @Test(arguments: [
        (#"{}"#, ["roomId", "messageType", "payload"]),
        (#"{"roomId":"..","messageType":"text","payload":{"text":"x"}}"#, ["roomId"]),
        (#"{"roomId":"r","messageType":"shout","payload":{"text":"x"}}"#, ["messageType"]),
        (#"{"roomId":"r","messageType":"system","payload":{}}"#, ["messageType"]),
        (#"{"roomId":"r","messageType":"text","payload":"x"}"#, ["payload"]),
        (#"{"roomId":"r","messageType":"text","payload":{"text":"x"},"replyToMessageId":0}"#, ["replyToMessageId"]),
        (#"{"roomId":"r","messageType":"text","payload":{"text":"x"},"clientMessageId":""}"#, ["clientMessageId"]),
    ])
    func `every field at fault is named`(json: String, fields: [String]) {
        #expect(fieldsAtFault(json) == fields)
    }
}
