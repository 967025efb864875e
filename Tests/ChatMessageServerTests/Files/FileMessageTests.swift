import ChatTestSupport
import CommonUtil
import Testing

/// Messages that name files, with a whole stack.
@Suite(.timeLimit(.minutes(2))) struct FileMessageTests {
    @Test func `the server fills in what it knows of a file`() async throws {
        let fixture = try await FileFixture(try await SharedStack.running())
        let id = try await fixture.file(FileFixture.picture(width: 30, height: 20))
        let sent = try await fixture.send(
            fixture.post(id, type: "image", ["caption": "Here", "mimeType": "text/html", "width": 7]))
        #expect(sent.status == 201)
        #expect(
            sent.content == [
                "caption": "Here", "fileId": .string(id), "fileName": "hello.txt", "fileSize": 45, "height": 20,
                "mimeType": "image/png", "width": 30,
            ])
        let log = try await fixture.stack.log(of: fixture.roomID, as: fixture.member)
        #expect(log.last?["contentJson"] == sent.json["contentJson"])
        for type in ["file", "video", "audio"] {
            #expect(try await fixture.send(fixture.post(id, type: type)).status == 201)
        }
        // In other types it is a member as any.
        let rich = try await fixture.send(fixture.post("NO-ID", type: "rich_content"))
        #expect(rich.content == ["fileId": "NO-ID"])
    }

    @Test func `only a file of this room and this sender may be named`() async throws {
        let fixture = try await FileFixture(try await SharedStack.running())
        let elsewhere = try await fixture.stack.room(of: fixture.owner)
        let id = try await fixture.file()
        let thumbnail = try await fixture.file(FileFixture.pixel, thumbnailOf: id)
        let foreign = [
            try await fixture.file(as: fixture.member), try await fixture.file(in: elsewhere), "none", "NO-ID",
            thumbnail,
        ]
        for id in foreign {
            let refused = try await fixture.send(fixture.post(id))
            #expect(refused.status == 422 && refused.fields == ["payload.fileId"], "\(id) \(refused)")
        }
        let both = try await fixture.send(fixture.post(id, ["fileUrl": "https://a.example/x"]))
        #expect(both.status == 422 && both.fields == ["payload.fileUrl"])
        #expect(try await fixture.send(fixture.post(id), as: fixture.member).status == 422)
        #expect(try await fixture.send(fixture.post(id), as: fixture.stranger).code == "room_not_found")
        let reply = try await fixture.send(
            [
                "roomId": .string(fixture.roomID), "messageType": "file", "payload": ["fileId": .string(id)],
                "replyToMessageId": 1,
            ])
        #expect(reply.fields == ["replyToMessageId"])
        #expect(try await fixture.stack.log(of: fixture.roomID, as: fixture.owner).isEmpty)
        // What is elsewhere can be named by its URL.
        let url: JSON = [
            "roomId": .string(fixture.roomID), "messageType": "image", "payload": ["imageUrl": "https://a.example/x"],
        ]
        #expect(try await fixture.send(url).status == 201)
    }

    @Test func `a repeated post is the first one, also after the file has gone`() async throws {
        let fixture = try await FileFixture(try await SharedStack.running())
        let id = try await fixture.file()
        let post = fixture.post(id, key: "k")
        let first = try await fixture.send(post).require(201, "post")
        let again = try await fixture.send(post)
        #expect(again.status == 200 && again.json == first.json)
        #expect(try await fixture.send(fixture.post(id, key: "k", ["caption": "x"])).code == "client_message_id_reused")
        let elsewhere = try await fixture.stack.room(of: fixture.owner)
        #expect(try await fixture.send(fixture.post(id, in: elsewhere, key: "k")).code == "client_message_id_reused")
        let message = "/api/v1/messages/\(first.json["messageId"]?.int ?? 0)"
        try await fixture.server.send(.delete, message, as: fixture.owner.credentials).require(204, "delete")
        #expect(try await fixture.send(post).status == 200)
    }

    @Test func `many at once with one key make one message`() async throws {
        let fixture = try await FileFixture(try await SharedStack.running())
        let post = fixture.post(try await fixture.file(), key: "once")
        let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
            for index in 0..<12 {
                group.addTask {
                    try await fixture.stack.messages(index).post(
                        "/api/v1/messages", post, as: fixture.owner.credentials
                    )
                    .status
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(statuses.sorted() == Array(repeating: 200, count: 11) + [201])
        #expect(try await fixture.stack.log(of: fixture.roomID, as: fixture.owner).count == 1)
    }

    @Test func `a file goes with the last message that names it`() async throws {
        let fixture = try await FileFixture(try await SharedStack.running())
        let id = try await fixture.file()
        let thumbnail = try await fixture.file(FileFixture.pixel, thumbnailOf: id)
        let posts = [try await fixture.send(fixture.post(id)), try await fixture.send(fixture.post(id))]
        let paths = posts.map { "/api/v1/messages/\($0.json["messageId"]?.int ?? 0)" }
        #expect(try await fixture.delete(id).code == "file_in_use")
        let other = try await fixture.file()
        let edit: JSON = ["payload": ["fileId": .string(other)]]
        let edited = try await fixture.server.send(.patch, paths[0], edit, as: fixture.owner.credentials)
        #expect(edited.status == 200 && edited.content["fileId"] == .string(other))
        #expect(try await fixture.download(id).status == 200)
        try await fixture.server.send(.delete, paths[1], as: fixture.owner.credentials).require(204, "delete")
        #expect(try await fixture.download(id).code == "file_not_found")
        #expect(try await fixture.download(thumbnail).code == "file_not_found")
        #expect(try await fixture.send(fixture.post(id)).fields == ["payload.fileId"])
        #expect(try await fixture.download(other).status == 200)
        // The same again is no event, and a URL in place of the file lets it go.
        let head = try await fixture.stack.log(of: fixture.roomID, as: fixture.owner).count
        try await fixture.server.send(.patch, paths[0], edit, as: fixture.owner.credentials).require(200, "edit")
        #expect(try await fixture.stack.log(of: fixture.roomID, as: fixture.owner).count == head)
        let url: JSON = ["payload": ["fileUrl": "https://a.example/x", "fileName": "x"]]
        try await fixture.server.send(.patch, paths[0], url, as: fixture.owner.credentials).require(200, "edit")
        #expect(try await fixture.download(other).code == "file_not_found")
    }

    @Test func `a deletion and a post of one file at once leave no message without its file`() async throws {
        let fixture = try await FileFixture(try await SharedStack.running())
        for _ in 0..<10 {
            let id = try await fixture.file()
            async let deleted = fixture.delete(id)
            async let posted = fixture.stack.messages(1).post(
                "/api/v1/messages", fixture.post(id), as: fixture.owner.credentials)
            let (deletion, post) = (try await deleted.status, try await posted.status)
            #expect((deletion, post) == (204, 422) || (deletion, post) == (409, 201))
            #expect(try await fixture.download(id).status == (post == 201 ? 200 : 404))
        }
    }

    @Test func `a file is deleted by its uploader while no message names it`() async throws {
        let fixture = try await FileFixture(try await SharedStack.running())
        let id = try await fixture.file()
        #expect(try await fixture.delete(id, as: fixture.member).code == "forbidden")
        #expect(try await fixture.delete(id, as: fixture.stranger).code == "file_not_found")
        #expect(try await fixture.delete(id).status == 204)
        #expect(try await fixture.delete(id).code == "file_not_found")
        #expect(try await fixture.info(id).code == "file_not_found")
    }

    @Test func `a key uploads for the installation, or for the user that it acts for`() async throws {
        let stack = try await SharedStack.running()
        let fixture = try await FileFixture(stack)
        let key = try await stack.key(.messages)
        let changes = try await stack.key(.changes)
        func upload(_ key: TestKey, _ headers: [(String, String)] = []) async throws -> RESTResponse {
            try await fixture.server.send(.post, fixture.target(), as: key.credentials, headers: headers, bytes: [1])
        }
        #expect(try await upload(changes).code == "scope")
        let own = try await upload(key).json["fileId"]?.string ?? ""
        let anothers = try await upload(key, TestKey.onBehalf(of: fixture.owner)).json["fileId"]?.string ?? ""
        func post(_ id: String) async throws -> RESTResponse {
            try await fixture.server.post("/api/v1/messages", fixture.post(id), as: key.credentials)
        }
        #expect(try await post(anothers).fields == ["payload.fileId"])
        let posted = try await post(own)
        #expect(posted.status == 201 && posted.content["fileSize"] == 1)
        #expect(try await fixture.send(fixture.post(anothers)).status == 201)
        #expect(try await fixture.server.get("/api/v1/files/\(own)", as: key.credentials).bytes == [1])
        #expect(
            try await fixture.server.send(.delete, "/api/v1/files/\(own)", as: key.credentials).code == "file_in_use")
    }
}
