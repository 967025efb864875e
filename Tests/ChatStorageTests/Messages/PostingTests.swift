import ChatEvents
import ChatTestSupport
import CommonUtil
import PostgresClient
import Testing

@testable import ChatStorage

/// What one post comes to.
@Suite(.timeLimit(.minutes(2))) struct PostingTests {
    @Test(arguments: [0, 64])
    func `a post is stored as it was sent, published once, and marks the room read`(validatedSpan: Int) async throws {
        let published = EventCollector<RoomEvent>()
        try await withStore { store in
            try await store.makeRoom()
            try await withWriter(
                store.client, limits: .init(validatedSpan: validatedSpan), onCommit: published.append(contentsOf:)
            ) { writer in
                let first = try await writer.mustStore(draft("first"))
                let sent = draft("second", by: bob, replyTo: first.messageID, key: "k")
                let second = try await writer.mustStore(sent)
                #expect(second.seq == 2)
                #expect(second.senderID == bob)
                #expect(second.contentJSON == sent.contentJSON)
                #expect(second.replyToMessageID == first.messageID)
                #expect(second.clientMessageID == "k")
                #expect(second.messageID > first.messageID)
                #expect(second.sentAt >= first.sentAt)
                #expect(try await store.messages.message(second.messageID) == second)
                #expect(
                    published.all
                        == [first, second].map { RoomEvent(roomID: .hall, seq: $0.seq, change: .message($0)) })
                #expect(try await store.log.events(of: .hall, after: 0, limit: 10).events == published.all)
            }
            #expect(try await store.rooms.member(ann, of: .hall)?.lastReadSeq == 1)
            #expect(try await store.rooms.member(bob, of: .hall)?.lastReadSeq == 2)
            #expect(try await store.rooms.room(.hall)?.lastSeq == 2)
        }
    }

    // MARK: Who may post

    @Test(arguments: [0, 64])
    func `only members post`(validatedSpan: Int) async throws {
        try await withStore { store in
            try await store.makeRoom(.hall, .public)
            try await store.makeRoom(.attic, .group)
            try await withWriter(store.client, limits: .init(validatedSpan: validatedSpan)) { writer async throws in
                #expect(try await writer.post(draft(by: cid, in: .hall)) == .refused(.notAMember))
                #expect(try await writer.post(draft(by: cid, in: .attic)) == .refused(.roomNotFound))
                #expect(try await writer.post(draft(by: ann, in: .cellar)) == .refused(.roomNotFound))
                // A refused post burns no number.
                #expect(try await writer.mustStore(draft(in: .hall)).seq == 1)
                #expect(try await writer.mustStore(draft(in: .attic)).seq == 1)
            }
        }
    }

    @Test(arguments: [0, 64])
    func `an open server takes anyone's posts to public rooms only`(validatedSpan: Int) async throws {
        try await withStore { store in
            try await store.rooms.makeOpenRoom(.hall)
            try await store.makeRoom(.attic, .private)
            try await withWriter(store.client, isOpen: true, limits: .init(validatedSpan: validatedSpan)) {
                writer async throws in
                #expect(try await writer.mustStore(draft(by: cid, in: .hall)).seq == 1)
                #expect(try await writer.post(draft(by: cid, in: .attic)) == .refused(.roomNotFound))
            }
            #expect(try await store.rooms.member(cid, of: .hall) == nil)
        }
    }

    @Test(arguments: [0, 64])
    func `an archived room takes no posts`(validatedSpan: Int) async throws {
        try await withStore { store in
            try await store.makeRoom()
            _ = try await store.rooms.withLockedRoom(.hall) { try await $0.archive(by: ann) }
            try await withWriter(store.client, limits: .init(validatedSpan: validatedSpan)) { writer async throws in
                #expect(try await writer.post(draft()) == .refused(.roomArchived))
            }
            #expect(try await store.rooms.room(.hall)?.lastSeq == 1)
        }
    }

    @Test(arguments: [0, 64])
    func `a reply needs a message of the same room that is there`(validatedSpan: Int) async throws {
        try await withStore { store in
            try await store.makeRoom(.hall)
            try await store.makeRoom(.attic)
            try await withWriter(store.client, limits: .init(validatedSpan: validatedSpan)) { writer in
                let here = try await writer.mustStore(draft(in: .hall))
                let elsewhere = try await writer.mustStore(draft(in: .attic))
                #expect(try await writer.mustStore(draft(replyTo: here.messageID)).replyToMessageID == here.messageID)
                #expect(try await writer.post(draft(replyTo: elsewhere.messageID)) == .refused(.replyNotFound))
                #expect(try await writer.post(draft(replyTo: MessageID(.max))) == .refused(.replyNotFound))
                try await store.delete(here)
                #expect(try await writer.post(draft(replyTo: here.messageID)) == .refused(.replyNotFound))
                #expect(try await writer.mustStore(draft()).seq == 4)
            }
        }
    }

    // MARK: Again with the same key

    @Test(arguments: [0, 64])
    func `the same post again is the first message, also after an edit and an archive`(validatedSpan: Int) async throws
    {
        try await withStore { store in
            try await store.makeRoom()
            try await withWriter(store.client, limits: .init(validatedSpan: validatedSpan)) { writer in
                let first = try await writer.mustStore(draft(key: "k"))
                #expect(try await writer.post(draft(key: "k")) == .repeated(first))

                try await store.edit(first, to: "x")
                let edited = try #require(try await writer.post(draft(key: "k")).repeated)
                #expect(edited.contentJSON == #"{"text":"x"}"#)
                #expect(edited.isEdited)

                try await store.delete(first)
                #expect(try await writer.post(draft(key: "k")).repeated?.isDeleted == true)

                _ = try await store.rooms.withLockedRoom(.hall) { try await $0.archive(by: ann) }
                #expect(try await writer.post(draft(key: "k")).repeated?.messageID == first.messageID)
                #expect(try await writer.post(draft("other", key: "k")) == .refused(.keyReused))
            }
            #expect(try await store.client.number("SELECT count(*) FROM messages") == 1)
        }
    }

    @Test(arguments: [0, 64])
    func `a repeated reply is repeated also when what it answers is gone`(validatedSpan: Int) async throws {
        try await withStore { store in
            try await store.makeRoom()
            try await withWriter(store.client, limits: .init(validatedSpan: validatedSpan)) { writer in
                let target = try await writer.mustStore(draft())
                let reply = try await writer.mustStore(draft(replyTo: target.messageID, key: "k"))
                try await store.delete(target)
                #expect(try await writer.post(draft(replyTo: target.messageID, key: "k")) == .repeated(reply))
            }
        }
    }

    @Test(arguments: [0, 64])
    func `a sender who has lost the room gets a receipt without the content`(validatedSpan: Int) async throws {
        try await withStore { store in
            try await store.makeRoom()
            try await withWriter(store.client, limits: .init(validatedSpan: validatedSpan)) { writer in
                let first = try await writer.mustStore(draft(by: bob, key: "k"))
                let receipt = PostOutcome.repeatedWithoutAccess(PostReceipt(first))
                _ = try await store.rooms.withLockedRoom(.hall) { try await $0.leave(bob, by: ann) }
                #expect(try await writer.post(draft(by: bob, key: "k")) == receipt)
                #expect(try await writer.post(draft("other", by: bob, key: "k")) == .refused(.keyReused))
                #expect(try await writer.post(draft(by: bob, key: "l")) == .refused(.roomNotFound))

                try await store.edit(first, to: "x")
                _ = try await store.rooms.withLockedRoom(.hall) { try await $0.archive(by: ann) }
                #expect(try await writer.post(draft(by: bob, key: "k")) == receipt)
            }
            #expect(try await store.client.number("SELECT count(*) FROM messages") == 1)
        }
    }

    @Test(arguments: [0, 64])
    func `a sender who has left a public room still gets the message`(validatedSpan: Int) async throws {
        try await withStore { store in
            try await store.makeRoom(.hall, .public)
            try await withWriter(store.client, limits: .init(validatedSpan: validatedSpan)) { writer in
                let first = try await writer.mustStore(draft(by: bob, key: "k"))
                _ = try await store.rooms.withLockedRoom(.hall) { try await $0.leave(bob, by: bob) }
                #expect(try await writer.post(draft(by: bob, key: "k")) == .repeated(first))
                #expect(try await writer.post(draft(by: bob)) == .refused(.notAMember))
            }
        }
    }

    @Test(arguments: [0, 64])
    func `a key belongs to one request of one sender`(validatedSpan: Int) async throws {
        try await withStore { store in
            try await store.makeRoom(.hall)
            try await store.makeRoom(.attic)
            try await withWriter(store.client, limits: .init(validatedSpan: validatedSpan)) { writer in
                let first = try await writer.mustStore(draft(key: "k"))
                #expect(try await writer.post(draft("other", key: "k")) == .refused(.keyReused))
                #expect(try await writer.post(draft(in: .attic, key: "k")) == .refused(.keyReused))
                #expect(try await writer.post(draft(replyTo: first.messageID, key: "k")) == .refused(.keyReused))
                #expect(try await writer.mustStore(draft(by: bob, key: "k")).seq == 2)
            }
            #expect(try await store.rooms.room(.attic)?.lastSeq == 0)
        }
    }

    // MARK: Together

    @Test func `in one batch each draft has its own verdict, and only the good ones take numbers`() async throws {
        try await withStore { store in
            try await store.makeRoom(.hall)
            try await store.makeRoom(.attic, .public)
            let prior = try await withWriter(store.client) { try await $0.mustStore(draft(key: "k")) }
            let drafts = [
                draft("1"), draft(by: cid), draft("2"), draft(in: .cellar), draft(key: "k"), draft("x", key: "k"),
                draft(replyTo: MessageID(.max)), draft(by: cid, in: .attic), draft("1", in: .attic),
                draft("3", by: bob),
            ]
            let rows = try await store.client.batch(
                MessageBatchStatements.commands(for: drafts, isOpen: false, .validated))[1]
            var verdicts = [String](repeating: "", count: drafts.count)
            for row in rows {
                let seq = try row.decode(column: 3, as: Int64?.self).map { " \($0)" } ?? ""
                verdicts[try row.decode(column: 0)] = try row.decode(column: 1, as: String.self) + seq
            }
            #expect(
                verdicts == [
                    "stored 2", "room_not_found", "stored 3", "room_not_found", "repeated", "key_reused",
                    "reply_not_found", "not_a_member", "stored 1", "stored 4",
                ])
            let page = try await store.messages.history(of: .hall, before: nil, after: 0, limit: 10)
            #expect(page.messages.map(\.seq) == [1, 2, 3, 4])
            // Ids ascend as the posts do.
            #expect(page.messages.map(\.messageID) == page.messages.map(\.messageID).sorted())
            #expect(page.messages[0] == prior)
        }
    }
}
