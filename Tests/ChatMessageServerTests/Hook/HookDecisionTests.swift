import ChatEvents
import ChatStorage
import ChatTestSupport
import CommonUtil
import Testing

@testable import ChatMessageServer

@Suite(.timeLimit(.minutes(1))) struct HookDecisionTests {
    private static let sent = #"{"text":"a"}"#

    private func decision(_ status: Int, _ body: String, type: MessageType = .text) -> HookDecision {
        HookDecision(.answer(status: status, body: Array(body.utf8)), type: type)
    }

    @Test func `a message is accepted, rejected or replaced`() {
        #expect(decision(200, #"{"action":"accept"}"#) == .accept)
        // What is not asked for does not matter.
        #expect(decision(204, #"{"action":"accept","payload":7,"reason":[],"more":{}}"#) == .accept)
        #expect(decision(200, #"{"action":"reject"}"#) == .reject(reason: nil))
        #expect(decision(200, #"{"action":"reject","reason":"Rude"}"#) == .reject(reason: "Rude"))
        #expect(
            decision(200, #"{"action":"replace","payload":{"text" : "b", "a":1}}"#)
                == .replace(contentJSON: #"{"a":1,"text":"b"}"#))
        #expect(
            decision(200, #"{"action":"replace","payload":{}}"#, type: .richContent) == .replace(contentJSON: "{}"))
    }

    @Test func `a message is rejected whatever the reason is like`() {
        let family = String(repeating: "👩‍👩‍👧", count: 100)
        guard case .reject(let reason?) = decision(200, #"{"action":"reject","reason":"\#(family)"}"#) else {
            Issue.record("not rejected")
            return
        }
        // Counted, and cut, in Unicode scalars.
        #expect(reason.unicodeScalars.count == 200 && family.unicodeScalars.starts(with: reason.unicodeScalars))
        for other in ["7", "null", "{}", #""""#] {
            #expect(decision(200, #"{"action":"reject","reason":\#(other)}"#) == .reject(reason: nil), "\(other)")
        }
    }

    @Test(arguments: [
        (200, ""), (200, "accept"), (200, "[]"), (200, #"{"action":"accept""#), (200, "{}"),
        (200, #"{"action":"ACCEPT"}"#), (200, #"{"action":null}"#), (200, #"{"action":["accept"]}"#),
        (200, #"{"action":"replace"}"#), (200, #"{"action":"replace","payload":"b"}"#),
        (200, #"{"action":"replace","payload":{}}"#), (200, #"{"action":"replace","payload":{"text":""}}"#),
        (200, #"{"action":"replace","payload":{"text":"\u0000"}}"#),
        (200, #"{"action":"replace","payload":{"text":"a","n":"# + String(repeating: "1", count: 65) + "}}"),
        (200, #"{"action":"replace","payload":{"text":"a","more":""# + String(repeating: "x", count: 65_536) + #""}}"#),
        (301, #"{"action":"accept"}"#), (404, #"{"action":"accept"}"#), (422, #"{"action":"reject"}"#),
        (500, #"{"action":"accept"}"#), (100, #"{"action":"accept"}"#),
    ])
    func `anything else is no decision`(status: Int, body: String) {
        guard case .none(let reason) = decision(status, body) else {
            Issue.record("a decision: \(body.prefix(100))")
            return
        }
        #expect(!reason.isEmpty)
    }

    @Test func `without a decision a message is stored or refused as the operator has set it`() throws {
        let none = HookDecision(.failed("was not answered in time"), type: .text)
        #expect(try none.content(of: Self.sent, fails: .open) == Self.sent)
        #expect {
            try none.content(of: Self.sent, fails: .closed)
        } throws: { error in
            let error = error as? ChatError
            return error?.code == .hookUnavailable && error?.retryAfterSeconds == 1
        }
    }

    @Test(arguments: MessageHookFailure.allCases)
    func `a decision counts however failures are dealt with`(fails: MessageHookFailure) throws {
        #expect(try HookDecision.accept.content(of: Self.sent, fails: fails) == Self.sent)
        #expect(try HookDecision.replace(contentJSON: "{}").content(of: Self.sent, fails: fails) == "{}")
        #expect(throws: ChatError(.rejected, "Rude")) {
            try HookDecision.reject(reason: "Rude").content(of: Self.sent, fails: fails)
        }
        #expect(throws: ChatError(.rejected)) {
            try HookDecision.reject(reason: nil).content(of: Self.sent, fails: fails)
        }
    }

    @Test func `every decision has a counter`() {
        let decisions: [HookDecision] = [.accept, .replace(contentJSON: "{}"), .reject(reason: nil), .none("")]
        #expect(decisions.map(\.label) == HookDecision.labels)
    }

    @Test func `the question has what is to be stored, and who sends it`() throws {
        let draft = MessageDraft(
            roomID: RoomID(verified: "a"), senderID: UserID(7), type: .text, contentJSON: Self.sent,
            replyToMessageID: MessageID(3), clientMessageID: "key")
        #expect(
            try JSON(parsing: HookRequest(draft, user: nil).jsonBytes) == [
                "roomId": "a", "messageType": "text", "payload": ["text": "a"], "replyToMessageId": 3,
                "user": ["userId": 7],
            ])
        let message = Message(
            messageID: MessageID(9), roomID: RoomID(verified: "a"), seq: 1, senderID: UserID(7), type: .richContent,
            contentJSON: "{}", sentAt: Timestamp(microseconds: 0))
        let user = User(
            userID: UserID(7), username: nil, displayName: "Ann", createdAt: Timestamp(microseconds: 0),
            externalID: ExternalID("customer/42"))
        #expect(
            try JSON(parsing: HookRequest(message, newContent: #"{"b":1.50}"#, user: user).jsonBytes) == [
                "roomId": "a", "messageType": "rich_content", "payload": ["b": 1.5], "editOf": 9,
                "user": [
                    "userId": 7, "displayName": "Ann", "createdAt": "1970-01-01T00:00:00.000Z",
                    "externalId": "customer/42",
                ],
            ])
    }
}
