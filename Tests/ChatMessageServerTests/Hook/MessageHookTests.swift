import ChatEvents
import ChatStorage
import ChatTestSupport
import CommonUtil
import Testing

@testable import ChatMessageServer

extension RESTClient {
    fileprivate func say(
        _ text: String, in roomID: String, as caller: ChatTestSupport.Credentials, key: String? = nil,
        headers: [(String, String)] = []
    ) async throws -> RESTResponse {
        try await send(
            .post, "/api/v1/messages", SharedStack.post(text, in: roomID, key: key), as: caller, headers: headers)
    }
}

/// One after another: each test has a server of its own, with its connections to the database that all share.
@Suite(.serialized, .timeLimit(.minutes(2))) struct MessageHookTests {
    private let moderator = Moderator()

    @Test func `posts are accepted, rejected and replaced, on both ways into the server`() async throws {
        try await moderator.run { stack, client in
            let user = try await stack.user()
            let roomID = try await stack.room(of: user)
            // A chunked body, or one of a connection that closes, goes through the router.
            for headers in [[], [("Connection", "close")]] {
                let start = moderator.texts.count
                let accepted = try await client.say("good", in: roomID, as: user.credentials, headers: headers)
                #expect(accepted.status == 201 && accepted.json["contentJson"] == #"{"text":"good"}"#)
                let rejected = try await client.say("bad", in: roomID, as: user.credentials, headers: headers)
                #expect(rejected.status == 422 && rejected.code == "rejected" && rejected.json["detail"] == "Rude")
                let replaced = try await client.say("a secret", in: roomID, as: user.credentials, headers: headers)
                #expect(replaced.status == 201 && replaced.json["contentJson"] == #"{"text":"a ***"}"#)
                #expect(moderator.texts[start...] == ["good", "bad", "a secret"])
            }
            let log = try await stack.log(of: roomID, as: user)
            #expect(
                log.map { $0["contentJson"]?.string ?? "" }
                    == [#"{"text":"good"}"#, #"{"text":"a ***"}"#, #"{"text":"good"}"#, #"{"text":"a ***"}"#])
        }
    }

    @Test func `the question names the room, the message and the user, and is signed`() async throws {
        try await moderator.run { stack, client in
            let user = try await stack.user()
            let roomID = try await stack.room(of: user)
            let first = try await client.say("first", in: roomID, as: user.credentials).json
            let reply: JSON = [
                "roomId": .string(roomID), "messageType": "text", "payload": ["text": "reply", "more": [1.50]],
                "replyToMessageId": first["messageId"] ?? .null, "clientMessageId": "one",
            ]
            _ = try await client.post("/api/v1/messages", reply, as: user.credentials)
            let question = try #require(moderator.questions.all.last)
            #expect(question.json.keys == ["roomId", "messageType", "payload", "replyToMessageId", "user"])
            #expect(question.json["roomId"] == .string(roomID) && question.json["messageType"] == "text")
            #expect(question.json["payload"] == ["text": "reply", "more": [1.5]])
            #expect(question.json["replyToMessageId"] == first["messageId"])
            #expect(question.json["user"]?["userId"] == .integer(user.userID))
            #expect(question.json["user"]?["username"] == .string(user.username))
            let id = try #require(question.headers["webhook-id"])
            let seconds = try #require(question.headers["webhook-timestamp"].flatMap { Int64($0) })
            #expect(
                question.headers["webhook-signature"]
                    == WebhookSecret.signature(of: question.body, id: id, seconds: seconds, secrets: [Moderator.secret])
            )
            #expect(abs(seconds - Timestamp.now.seconds) < 60)
            #expect(id != moderator.questions.all.first?.headers["webhook-id"])
        }
    }

    @Test func `a repeated post is the first one, as the hook left it, without another question`() async throws {
        try await moderator.run { stack, client in
            let user = try await stack.user()
            let roomID = try await stack.room(of: user)
            let first = try await client.say("a secret", in: roomID, as: user.credentials, key: "one")
            #expect(first.status == 201)
            let again = try await client.say("a secret", in: roomID, as: user.credentials, key: "one")
            #expect(again.status == 200 && again.json == first.json)
            // Also by a server without a hook. The request is known by what was sent, not by what was stored.
            let elsewhere = try await stack.messages().post(
                "/api/v1/messages", SharedStack.post("a secret", in: roomID, key: "one"), as: user.credentials)
            #expect(elsewhere.status == 200 && elsewhere.json == first.json)
            for text in ["a ***", "bad"] {
                let other = try await client.say(text, in: roomID, as: user.credentials, key: "one")
                #expect(other.status == 409 && other.code == "client_message_id_reused", "\(text)")
            }
            #expect(moderator.texts == ["a secret"])
            // A rejected post has taken no key.
            for expected in 2...3 {
                let rejected = try await client.say("bad", in: roomID, as: user.credentials, key: "two")
                #expect(rejected.code == "rejected" && moderator.texts.count == expected)
            }
            #expect(try await client.say("good", in: roomID, as: user.credentials, key: "two").status == 201)
        }
    }

    @Test func `an edit by the sender is asked about where it changes something`() async throws {
        try await moderator.run { stack, client in
            let users = try await stack.users(2)
            let (sender, other) = (users[0], users[1])
            let roomID = try await stack.room(of: sender, with: [other])
            let message = try await client.say("good", in: roomID, as: sender.credentials).json
            let path = "/api/v1/messages/\(message["messageId"]?.int ?? 0)"
            func edit(_ text: String, as user: TestUser) async throws -> RESTResponse {
                try await client.send(.patch, path, ["payload": ["text": .string(text)]], as: user.credentials)
            }
            #expect(try await edit("good", as: sender).status == 200)
            #expect(try await edit("bad", as: other).status == 403)
            #expect(try await edit("", as: sender).code == "validation_failed")
            #expect(moderator.texts == ["good"])
            let rejected = try await edit("bad", as: sender)
            #expect(rejected.status == 422 && rejected.code == "rejected" && rejected.json["detail"] == "Rude")
            #expect(moderator.questions.all.last?.json["editOf"] == message["messageId"])
            #expect(try await edit("a secret", as: sender).json["contentJson"] == #"{"text":"a ***"}"#)
            #expect(try await client.send(.delete, path, as: sender.credentials).status == 204)
            #expect(try await edit("good again", as: sender).code == "message_deleted")
            #expect(moderator.texts == ["good", "bad", "a secret"])
            #expect(try await stack.log(of: roomID, as: sender).map { $0["seq"]?.int } == [1, 2, 3])
        }
    }

    @Test func `an edit that names the same file again is not asked about, one of its words is`() async throws {
        try await moderator.run { stack, client in
            let sender = try await stack.user()
            let roomID = try await stack.room(of: sender)
            let stored = try await client.send(
                .post, "/api/v1/files?roomId=\(roomID)&name=a.txt", as: sender.credentials, bytes: Array("Hello".utf8)
            ).require(201, "upload")
            let fileID = stored.json["fileId"] ?? .null
            let post: JSON = [
                "roomId": .string(roomID), "messageType": "file", "payload": ["fileId": fileID, "caption": "one"],
            ]
            let message = try await client.post("/api/v1/messages", post, as: sender.credentials).require(201, "post")
                .json
            func edit(_ payload: JSON) async throws -> RESTResponse {
                try await client.send(
                    .patch, "/api/v1/messages/\(message["messageId"]?.int ?? 0)", ["payload": payload],
                    as: sender.credentials)
            }
            let asked = moderator.questions.all.count
            for payload: JSON in [
                ["fileId": fileID, "caption": "one"],
                ["caption": "one", "fileId": fileID, "fileName": "b", "fileSize": 1],
            ] {
                let again = try await edit(payload)
                #expect(again.status == 200 && again.json["contentJson"] == message["contentJson"], "\(again)")
            }
            #expect(moderator.questions.all.count == asked)
            #expect(try await edit(["fileId": fileID, "caption": "two"]).status == 200)
            #expect(moderator.questions.all.count == asked + 1)
            #expect(try await stack.log(of: roomID, as: sender).count == 2)
        }
    }

    @Test func `what cannot be stored is refused as ever, and not asked about`() async throws {
        try await moderator.run(fails: .closed) { stack, client in
            let users = try await stack.users(2)
            let (owner, stranger) = (users[0], users[1])
            let hidden = try await stack.room(of: owner)
            let open = try await stack.room("public", of: owner)
            func code(_ text: String, in roomID: String, as user: TestUser, key: String? = nil) async throws -> String?
            {
                try await client.say(text, in: roomID, as: user.credentials, key: key).code
            }
            #expect(try await code("broken", in: Unique.name("none"), as: stranger) == "room_not_found")
            #expect(try await code("broken", in: hidden, as: stranger) == "room_not_found")
            #expect(try await code("broken", in: open, as: stranger) == "not_a_member")
            #expect(moderator.texts.isEmpty)
            let post = try await client.say("good", in: open, as: owner.credentials, key: "one")
            #expect(post.status == 201)
            #expect(
                try await stack.system.send(.delete, "/api/v1/rooms/\(open)", as: owner.credentials).status == 200)
            #expect(try await code("bad", in: open, as: owner) == "room_archived")
            let edit = try await client.send(
                .patch, "/api/v1/messages/\(post.json["messageId"]?.int ?? 0)", ["payload": ["text": "bad"]],
                as: owner.credentials)
            #expect(edit.code == "room_archived")
            // A repeat of what is stored is no post to the room as it is now.
            #expect(try await client.say("good", in: open, as: owner.credentials, key: "one").status == 200)
            #expect(moderator.texts == ["good"])
        }
    }

    @Test func `a key is asked about on behalf of a user, not for the installation`() async throws {
        try await moderator.run { stack, client in
            let user = try await stack.user()
            let roomID = try await stack.room(of: user)
            let key = try await stack.key(.messages)
            let own = try await client.say("bad", in: roomID, as: key.credentials)
            #expect(own.status == 201)
            let path = "/api/v1/messages/\(own.json["messageId"]?.int ?? 0)"
            #expect(
                try await client.send(.patch, path, ["payload": ["text": "bad, too"]], as: key.credentials).status
                    == 200)
            let named: JSON = [
                "roomId": .string(roomID), "messageType": "text", "payload": ["text": "bad"],
                "senderId": .integer(user.userID),
            ]
            #expect(try await client.post("/api/v1/messages", named, as: key.credentials).status == 201)
            #expect(moderator.texts.isEmpty)
            let onBehalf = try await client.say(
                "bad", in: roomID, as: key.credentials, headers: TestKey.onBehalf(of: user))
            #expect(onBehalf.code == "rejected" && moderator.texts == ["bad"])
            #expect(moderator.questions.all[0].json["user"]?["userId"] == .integer(user.userID))
        }
    }

    @Test func `in trusted mode a user that is not registered has an id, and a room is made`() async throws {
        try await moderator.run(.trusted) { stack, client in
            let user = try await stack.user()
            let roomID = Unique.name("hooked")
            #expect(try await client.say("bad", in: roomID, as: user.credentials).code == "rejected")
            let posted = try await client.say("a secret", in: roomID, as: user.credentials)
            #expect(posted.status == 201 && posted.json["contentJson"] == #"{"text":"a ***"}"#)
            #expect(
                moderator.questions.all.map { $0.json["user"] } == [
                    ["userId": .integer(user.userID)], ["userId": .integer(user.userID)],
                ])
        }
    }

    @Test(arguments: ["slow", "broken", "nonsense"])
    func `a hook that gives no answer lets messages pass when it fails open`(_ text: String) async throws {
        try await moderator.run(undecided: 1) { stack, client in
            let user = try await stack.user()
            let roomID = try await stack.room(of: user)
            let start = ContinuousClock.now
            let posted = try await client.say(text, in: roomID, as: user.credentials)
            #expect(posted.status == 201 && posted.json["contentJson"] == .string(#"{"text":"\#(text)"}"#))
            #expect(ContinuousClock.now - start < .seconds(20), "it has been given up on")
            // Decisions still count.
            #expect(try await client.say("bad", in: roomID, as: user.credentials).code == "rejected")
            let metrics = try await client.get("/metrics").text
            #expect(metrics.contains(#"chat_message_hook_decisions_total{decision="failed"} 1"#))
            #expect(metrics.contains(#"chat_message_hook_decisions_total{decision="rejected"} 1"#))
        }
    }

    @Test(arguments: ["slow", "broken", "nonsense"])
    func `a hook that gives no answer stops messages when it fails closed`(_ text: String) async throws {
        try await moderator.run(fails: .closed, undecided: 1) { stack, client in
            let user = try await stack.user()
            let roomID = try await stack.room(of: user)
            let refused = try await client.say(text, in: roomID, as: user.credentials, key: "one")
            #expect(refused.status == 503 && refused.code == "hook_unavailable" && refused.header("retry-after") == "1")
            let posted = try await client.say("good", in: roomID, as: user.credentials, key: "one")
            #expect(posted.status == 201)
            // What is stored needs no hook.
            #expect(try await client.say("good", in: roomID, as: user.credentials, key: "one").status == 200)
            #expect(try await stack.log(of: roomID, as: user).count == 1)
        }
    }

    @Test func `a post that is stored while the hook thinks about it again is not rejected`() async throws {
        try await ChangeFixture.run { fixture in
            /// Stores the post before it rejects it.
            struct Late: MessageHookCalling {
                let writer: MessageWriter
                let draft: MessageDraft

                func call(_ body: [UInt8], headers: [(String, String)]) async -> HookResponse {
                    _ = try? await writer.post(draft)
                    return .answer(status: 200, body: Array(#"{"action":"reject"}"#.utf8))
                }
            }
            try await fixture.makeRoom("a")
            let database = ChatDatabase(fixture.client)
            for key in ["one", nil] {
                let draft = MessageDraft(
                    roomID: RoomID(verified: "a"), senderID: ChangeFixture.ann, type: .text,
                    contentJSON: #"{"text":"a"}"#, clientMessageID: key)
                let hook = MessageHook(
                    caller: Late(writer: fixture.writer, draft: draft), secret: Moderator.secret, fails: .open,
                    limits: .init(time: .seconds(60)), messages: MessageRepository(database),
                    users: UserRepository(database), logger: ChangeFixture.quiet)
                guard key == nil else {
                    #expect(try await hook.approve(draft, check: {}) === draft)
                    continue
                }
                await #expect(throws: ChatError(.rejected)) { try await hook.approve(draft) {} }
            }
        }
    }

    @Test func `more messages than may wait are not asked about`() async throws {
        try await ChangeFixture.run { fixture in
            let (started, go) = (EventCollector<Int>(), EventCollector<Int>())
            struct Waiting: MessageHookCalling {
                let started: EventCollector<Int>
                let go: EventCollector<Int>

                func call(_ body: [UInt8], headers: [(String, String)]) async -> HookResponse {
                    started.append(1)
                    _ = try? await go.first(1)
                    return .answer(status: 200, body: Array(#"{"action":"reject"}"#.utf8))
                }
            }
            let database = ChatDatabase(fixture.client)
            let hook = MessageHook(
                caller: Waiting(started: started, go: go), secret: Moderator.secret, fails: .closed,
                limits: .init(time: .seconds(60), messages: 2), messages: MessageRepository(database),
                users: UserRepository(database), logger: ChangeFixture.quiet)
            let draft = MessageDraft(
                roomID: RoomID(verified: "a"), senderID: ChangeFixture.ann, type: .text, contentJSON: #"{"text":"a"}"#)
            try await withThrowingTaskGroup { group in
                for _ in 1...2 {
                    group.addTask {
                        await #expect(throws: ChatError(.rejected)) { try await hook.approve(draft) {} }
                    }
                }
                try await started.first(2)
                await #expect(throws: ChatError(.hookUnavailable, retryAfterSeconds: 1)) {
                    try await hook.approve(draft) {}
                }
                go.append(1)
                try await group.waitForAll()
            }
            // They are not counted any more.
            await #expect(throws: ChatError(.rejected)) { try await hook.approve(draft) {} }
            #expect(started.all.count == 3)
        }
    }
}
