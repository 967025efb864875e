import ChatEvents
import ChatLocalStack
import ChatTestSupport
import CommonUtil
import Logging
import PostgresClient
import Testing

/// Imports through a server.
@Suite(.timeLimit(.minutes(2))) struct ImportTests {
    private static let path = "/api/v1/admin/import"

    private func send(
        _ lines: [JSON], _ stack: SharedStack, as key: TestKey, type: String = "application/x-ndjson"
    ) async throws -> RESTResponse {
        try await send(lines.map { $0.text + "\n" }.joined(), stack, as: key, type: type)
    }

    private func send(
        _ text: String, _ stack: SharedStack, as key: TestKey, type: String = "application/x-ndjson"
    ) async throws -> RESTResponse {
        try await stack.system.send(
            .post, Self.path, as: key.credentials, headers: [("Content-Type", type)], bytes: Array(text.utf8))
    }

    private func lines(_ answer: RESTResponse) throws -> [JSON] {
        try answer.require(200, "import").text.split(separator: "\n").map { try JSON(parsing: $0.utf8) }
    }

    /// Names of its own for each test.
    private struct History {
        let roomID = Unique.name("import")
        let ann = Unique.name("ann/x")
        let bob = Unique.name("bob")

        var users: [JSON] {
            [
                ["user": ["externalId": .string(ann), "displayName": "Ann", "createdAt": "2019-04-01T09:00:00Z"]],
                ["user": ["externalId": .string(bob), "displayName": "Bob"]],
            ]
        }

        var room: JSON { ["room": ["roomId": .string(roomID), "name": "Imported", "type": "private"]] }

        func member(_ user: String, _ fields: [String: JSON] = [:]) -> JSON {
            let member: [String: JSON] = ["roomId": .string(roomID), "userId": .string("ext:" + user)]
            return ["member": .object(member.merging(fields) { $1 })]
        }

        func message(_ number: Int, by sender: String? = nil, _ fields: [String: JSON] = [:]) -> JSON {
            let message: [String: JSON] = [
                "roomId": .string(roomID), "importId": .string("\(number)"),
                "senderId": .string("ext:" + (sender ?? ann)),
                "messageType": "text", "payload": ["text": .string("text \(number)")],
                "sentAt": .string(
                    Timestamp(microseconds: 1_700_000_000_000_000 + Int64(number) * 1_000_000).description),
            ]
            return ["message": .object(message.merging(fields) { $1 })]
        }

        func all(_ count: Int) -> [JSON] {
            users + [room, member(ann, ["role": "owner", "readAll": true]), member(bob)]
                + (1...count).map { message($0, by: $0.isMultiple(of: 2) ? ann : bob) }
        }
    }

    // MARK: What it makes

    @Test func `a history is imported, seen by its people, and sent again changes nothing`() async throws {
        let stack = try await SharedStack.running()
        let key = try await stack.key(.users, .rooms, .messages, .changes)
        let history = History()
        let first = try lines(try await send(history.all(2_000), stack, as: key))
        #expect(
            first == [
                ["line": 1_000, "made": 1_000, "changed": 0, "same": 0, "refused": 0],
                ["line": 2_000, "made": 2_000, "changed": 0, "same": 0, "refused": 0],
                ["done": true, "lines": 2_005, "made": 2_005, "changed": 0, "same": 0, "refused": 0],
            ])
        let ann = try await stack.system.send(
            .get, "/api/v1/users/by-external-id/" + history.ann.replacing("/", with: "%2F"), as: key.credentials
        ).require(200, "user").json
        #expect(ann["displayName"] == "Ann" && ann["createdAt"] == "2019-04-01T09:00:00.000Z")
        let token = try await stack.system.post(
            "/api/v1/admin/users/\(ann["userId"]?.int ?? 0)/tokens", [:], as: key.credentials
        ).require(201, "token").json["accessToken"]?.string
        let rooms = try await stack.system.get("/api/v1/rooms", as: .token(token ?? "")).require(200, "rooms").json
        let room = rooms["items"]?[0]
        #expect(room?["lastSeq"] == 2_002 && room?["unreadCount"] == 0 && room?["memberCount"] == 2)
        #expect(room?["lastMessage"]?["sentAt"] == .string(Timestamp(microseconds: 1_700_002_000_000_000).description))
        let events = try await stack.messages().get(
            "/api/v1/rooms/\(history.roomID)/events?limit=3", as: .token(token ?? "")
        ).require(200, "events").json
        #expect(
            (events["items"]?.array ?? []).map { $0["eventType"]?.string }
                == ["member_joined", "member_joined", "message"])

        let again = try lines(try await send(history.all(2_000), stack, as: key))
        #expect(again.last == ["done": true, "lines": 2_005, "made": 0, "changed": 0, "same": 2_005, "refused": 0])

        // The feed of changes has all of it, without a gap.
        var (cursor, seqs): (String, [Int64]) = ("begin", [])
        while seqs.last != 2_002 {
            let page = try await stack.messages().get(
                "/api/v1/changes?after=\(cursor)&limit=1000&wait=20&roomId=\(history.roomID)", as: key.credentials
            ).require(200, "changes").json
            seqs += (page["items"]?.array ?? []).compactMap { $0["event"]?["seq"]?.int }
            cursor = page["next"]?.string ?? ""
        }
        #expect(seqs == Array(1...2_002))
    }

    @Test func `sockets of the room get what is imported`() async throws {
        let stack = try await SharedStack.running()
        let key = try await stack.key(.users, .rooms, .messages)
        let user = try await stack.user()
        let history = History()
        let first: [JSON] =
            history.users + [
                history.room,
                ["member": ["roomId": .string(history.roomID), "userId": .integer(user.userID)]],
            ]
        _ = try lines(try await send(first, stack, as: key))
        let socket = try await stack.readySocket(history.roomID, as: user)
        defer { socket.drop() }
        _ = try lines(try await send((1...30).map { history.message($0) }, stack, as: key))
        for number in 1...30 {
            try await socket.event("message \(number)") { $0["seq"] == .integer(Int64(number) + 1) }
        }
    }

    // MARK: What it refuses

    @Test func `bad lines are named, the others are done`() async throws {
        let stack = try await SharedStack.running()
        let key = try await stack.key(.users, .rooms, .messages)
        let history = History()
        let text = [
            history.users[0].text, "no JSON", #"{"user": {"externalId": "x", "createdAt": "soon"}}"#,
            String(repeating: "x", count: 129 * 1_024), history.message(1).text, history.room.text,
            history.message(1).text, history.message(1).text, history.message(1, ["payload": ["text": "other"]]).text,
            history.message(2, ["sentAt": "2999-01-01T00:00:00Z"]).text,
            history.message(3, ["replyToImportId": "9"]).text, history.message(4, ["replyToImportId": "1"]).text,
            history.member("nobody").text, history.member(history.ann).text,
        ].joined(separator: "\n")
        let answer = try lines(try await send(text, stack, as: key))
        let refused = answer.dropLast().map { "\($0["line"]?.int ?? 0) \($0["code"]?.string ?? "")" }
        #expect(
            refused == [
                "2 malformed_json", "3 validation_failed", "4 line_too_large", "5 room_not_found", "9 import_id_reused",
                "10 validation_failed", "11 validation_failed", "13 user_not_found",
            ])
        #expect(answer.last == ["done": true, "lines": 14, "made": 5, "changed": 0, "same": 1, "refused": 8])
    }

    @Test func `lines need the scope of what they describe, a key one of the three`() async throws {
        let stack = try await SharedStack.running()
        let history = History()
        let rooms = try await stack.key(.rooms)
        let answer = try lines(try await send([history.users[0], history.room, history.message(1)], stack, as: rooms))
        #expect(answer.dropLast().map { $0["code"]?.string } == ["scope", "scope"])
        #expect(answer.last?["made"] == 1 && answer.last?["refused"] == 2)
        let none = try await send(history.users, stack, as: try await stack.key(.changes, .keys))
        #expect(none.status == 403 && none.code == "scope")
        let user = try await stack.user()
        let byUser = try await stack.system.send(.post, Self.path, as: user.credentials)
        #expect(byUser.status == 403 && byUser.code == "scope")
        #expect(try await stack.system.send(.post, Self.path).status == 401)
    }

    @Test func `another content type, or an encoded body, is 415`() async throws {
        let stack = try await SharedStack.running()
        let key = try await stack.key(.users)
        for type in ["application/json", "text/plain", "application/x-ndjsonx"] {
            #expect(try await send([], stack, as: key, type: type).status == 415)
        }
        #expect(try await send([], stack, as: key, type: "Application/X-NDJSON; charset=utf-8").status == 200)
        let encoded = try await stack.system.send(
            .post, Self.path, as: key.credentials,
            headers: [("Content-Type", "application/x-ndjson"), ("Content-Encoding", "gzip")], bytes: [])
        #expect(encoded.status == 415)
    }

    // MARK: On the way

    private func head(_ key: TestKey) -> String {
        "POST \(Self.path) HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \(key.text)\r\n"
            + "Content-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n"
    }

    private func chunk(_ lines: [JSON]) -> String {
        let text = lines.map { $0.text + "\n" }.joined()
        return String(text.utf8.count, radix: 16) + "\r\n" + text + "\r\n"
    }

    @Test func `of a body that is cut off whole batches stay, and nothing of the last one`() async throws {
        let stack = try await SharedStack.running()
        let key = try await stack.key(.users, .rooms, .messages)
        let history = History()
        let all = history.all(1_500)
        let cut = chunk(Array(all[1_000...])).dropLast(20)
        let answer = try? await RawHTTP.exchange(
            port: stack.processes.systemServer.port, head(key) + chunk(Array(all[..<1_000])) + cut, endsOutput: true)
        #expect(answer?.contains("done") != true)
        let room = try await stack.system.get("/api/v1/rooms/\(history.roomID)", as: key.credentials)
        // 995 messages and two joins of the first thousand lines, or none where the connection ended before.
        #expect([997, 0, nil].contains(room.json["lastSeq"]?.int))
        let again = try lines(try await send(all, stack, as: key))
        #expect(again.last?["done"] == true && again.last?["refused"] == 0)
        let whole = try await stack.system.get("/api/v1/rooms/\(history.roomID)", as: key.credentials).json
        #expect(whole["lastSeq"] == 1_502)
    }

    @Test func `a revoked key ends its import`() async throws {
        let stack = try await SharedStack.running()
        let key = try await stack.key(.users)
        let port = stack.processes.systemServer.port
        let users = (1...1_000).map { _ -> JSON in ["user": ["externalId": .string(Unique.name("u"))]] }
        let answer = try await RawHTTP.withConnection(port: port) { connection in
            try await connection.send(head(key))
            // The head of the response comes before the body: the key was accepted.
            var answer = try await connection.read(until: "\r\n\r\n")
            try await stack.revoke(key)
            // A server knows within five seconds; each batch asks.
            while !answer.contains("broken_off") {
                try await connection.send(chunk(users))
                let text = try await connection.read(until: "\n\r\n")
                answer += text
                if text.isEmpty { break }
            }
            return answer
        }
        #expect(answer.contains(#""code":"invalid_token""#) && !answer.contains("done"))
    }

    @Test func `an import is broken off where the database is away, and says so`() async throws {
        let stack = try await SharedStack.running()
        let key = try await stack.key(.users, .rooms, .messages)
        let history = History()
        let all = history.all(2_500)
        let url = try #require(stack.environment["CHAT_DATABASE_URL"])
        let database = try await FaultProxy.start(to: stack.processes.postgres.port)
        let behind = url.replacing(":\(stack.processes.postgres.port)/", with: ":\(database.port)/")
        try await stack.withServer(.system, ["CHAT_DATABASE_URL": behind]) { server in
            try await RawHTTP.withConnection(port: server.port) { connection in
                try await connection.send(head(key) + chunk(Array(all[..<1_000])))
                #expect(try await connection.read(until: #""line":1000"#).contains("200 OK"))
                try await database.set(.cut)
                try await connection.send(chunk(Array(all[1_000..<2_000])))
                // The answer ends, and the connection with it.
                let rest = try await connection.read(until: "never")
                #expect(rest.contains(#"{"line":1000,"result":"broken_off","code":"unavailable","#))
                #expect(rest.hasSuffix("0\r\n\r\n") && !rest.contains("done"))
            }
            try await database.set(.pass)
        }
        try await database.stop()
        let again = try lines(try await send(all, stack, as: key))
        // Ann, who reads all, had not read yet.
        #expect(
            again.last == ["done": true, "lines": 2_505, "made": 1_505, "changed": 1, "same": 999, "refused": 0])
    }

    @Test func `what the last batch refused is said where the end of the import fails`() async throws {
        let stack = try await SharedStack.running()
        let key = try await stack.key(.users, .rooms, .messages)
        let history = History()
        let name = "fail_\(UInt32.random(in: 0...UInt32.max))"
        let url = try #require(stack.environment["CHAT_DATABASE_URL"])
        let client = PostgresClient(configuration: try PostgresConfiguration(url: url), logger: Logger(label: "test"))
        try await whileRunning {
            try await client.run()
        } _: {
            // The marks of this room alone cannot be moved.
            for statement in [
                "CREATE FUNCTION \(name)() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE 'not now'; END$$",
                """
                CREATE TRIGGER \(name) BEFORE DELETE ON import_reads FOR EACH ROW
                WHEN (OLD.room_id = '\(history.roomID)') EXECUTE FUNCTION \(name)()
                """,
            ] { _ = try await client.query(PostgresStatement(statement)) }
            let answer = try lines(try await send(history.all(2) + [history.member("nobody")], stack, as: key))
            #expect(answer.map { $0["line"]?.int } == [8, 8])
            #expect(answer.map { $0["result"]?.string } == ["refused", "broken_off"])
            #expect(answer.first?["code"] == "user_not_found")
            _ = try await client.query(PostgresStatement("DROP FUNCTION \(name) CASCADE"))
            let again = try lines(try await send(history.all(2), stack, as: key))
            #expect(again.last?["done"] == true && again.last?["same"] == 7)
        }
    }

    @Test func `a server that is killed in the middle leaves whole batches, and the rest is sent again`() async throws {
        let stack = try await SharedStack.running()
        let key = try await stack.key(.users, .rooms, .messages)
        let history = History()
        let all = history.all(5_000)
        let server = try stack.makeServer(.system)
        try await server.start(timeout: .seconds(60))
        try await RawHTTP.withConnection(port: server.port) { connection in
            try await connection.send(head(key) + chunk(Array(all[..<2_500])))
            #expect(try await connection.read(until: #""line":1000"#).contains(#""made":1000"#))
            try await server.kill()
        }
        let again = try lines(try await send(all, stack, as: key))
        #expect(again.last?["done"] == true && again.last?["refused"] == 0)
        #expect(again.last?["made"]?.int ?? 0 <= 4_005)
        let room = try await stack.system.get("/api/v1/rooms/\(history.roomID)", as: key.credentials).json
        #expect(room["lastSeq"] == 5_002)
    }
}
