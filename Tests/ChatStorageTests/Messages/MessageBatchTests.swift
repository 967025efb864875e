import ChatEvents
import CommonUtil
import Testing

@testable import ChatStorage

@Suite(.timeLimit(.minutes(2))) struct MessageBatchTests {
    private typealias Batch = MessageBatch<Int>

    private func batch(_ drafts: MessageDraft...) -> Batch {
        var batch = Batch()
        for (number, draft) in drafts.enumerated() { batch.add(draft, reply: number) }
        return batch
    }

    @Test func `a key stands in a batch once, the later ones follow`() {
        let batch = batch(
            draft("a", key: "k"), draft("b"), draft("c", key: "k"), draft("d", key: "l"), draft("a", key: "k"))
        #expect(batch.entries.map(\.reply) == [0, 1, 3])
        #expect(batch.entries[0].followers.map(\.reply) == [2, 4])
        #expect(batch.entries[1].followers.isEmpty)
    }

    @Test func `keys are each sender's own, and posts without a key are never the same`() {
        #expect(batch(draft(by: ann, key: "k"), draft(by: bob, key: "k")).entries.count == 2)
        #expect(batch(draft(), draft()).entries.count == 2)
        #expect(batch(draft(in: .hall, key: "k"), draft(in: .attic, key: "k")).entries.count == 1)
        // Two keys that only look the same, as PostgreSQL sees them.
        #expect(batch(draft(key: "\u{E9}"), draft(key: "e\u{301}")).entries.count == 2)
    }

    @Test func `the same request shares the outcome`() {
        let leader = draft("a", key: "k")
        let message = Message(MessageID(1), 1, leader, sentAt: Timestamp(microseconds: 0))
        #expect(Batch.outcome(of: leader, after: leader, .stored(PostedMessage(message))) == .repeated(message))
        #expect(Batch.outcome(of: leader, after: leader, .repeated(message)) == .repeated(message))
        #expect(Batch.outcome(of: leader, after: leader, .refused(.roomArchived)) == .refused(.roomArchived))
    }

    @Test(arguments: [
        draft("b", key: "k"), draft("a", in: .attic, key: "k"), draft("a", replyTo: MessageID(1), key: "k"),
        MessageDraft(
            roomID: .hall, senderID: ann, type: .sticker, contentJSON: #"{"text":"a"}"#, clientMessageID: "k"),
    ])
    func `another request is posted by itself`(follower: MessageDraft) {
        let leader = draft("a", key: "k")
        let message = Message(MessageID(1), 1, leader, sentAt: Timestamp(microseconds: 0))
        #expect(Batch.outcome(of: follower, after: leader, .stored(PostedMessage(message))) == nil)
        #expect(Batch.outcome(of: follower, after: leader, .refused(.roomNotFound)) == nil)
    }
}
