import ChatLocalStack
import ChatTestSupport
import CommonUtil
import Foundation
import Testing

/// Limits and the store, with servers that have settings of their own.
@Suite(.timeLimit(.minutes(2))) struct FileLimitTests {
    private func withServer(
        _ environment: [String: String], _ body: (FileFixture) async throws -> Void
    ) async throws {
        let stack = try await SharedStack.running()
        try await stack.withServer(.message, environment) { server in
            try await body(try await FileFixture(stack, server: server))
        }
    }

    /// Waits until the uploads of the server take this many bytes of its spool.
    private func waitForSpool(_ bytes: Int, _ fixture: FileFixture) async throws {
        try await fixture.server.waitForAnswer("/metrics", 200) {
            $0.text.contains("\nchat_file_spool_bytes \(bytes)\n")
        }
    }

    @Test func `a file of exactly the size is stored, one byte more is not`() async throws {
        try await withServer(["CHAT_FILE_MAX_BYTES": "100"]) { fixture in
            #expect(try await fixture.upload([UInt8](repeating: 1, count: 100)).status == 201)
            #expect(try await fixture.upload([UInt8](repeating: 1, count: 101)).code == "file_too_large")
            let port = Int(fixture.server.baseURL.split(separator: ":").last ?? "") ?? 0
            let chunk = "65\r\n" + String(repeating: "x", count: 101) + "\r\n0\r\n\r\n"
            let answer = try await RawHTTP.exchange(
                port: port,
                "POST \(fixture.target()) HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \(fixture.owner.token ?? "")\r\n"
                    + "Transfer-Encoding: chunked\r\n\r\n" + chunk)
            #expect(answer.hasPrefix("HTTP/1.1 413") && answer.contains("file_too_large"))
        }
    }

    @Test func `the files of a user are no larger than the quota, and what is deleted counts no more`() async throws {
        try await withServer(["CHAT_FILE_QUOTA_BYTES": "25"]) { fixture in
            let first = try await fixture.file()
            _ = try await fixture.file()
            #expect(try await fixture.upload().code == "file_quota")
            #expect(try await fixture.upload(as: fixture.member).status == 201)
            #expect(try await fixture.delete(first).status == 204)
            #expect(try await fixture.upload().status == 201)
        }
    }

    @Test func `a thumbnail replaces another within the quota, and the installation has none`() async throws {
        let size = FileFixture.pixel.count
        try await withServer(["CHAT_FILE_QUOTA_BYTES": "\(FileFixture.text.count + size)"]) { fixture in
            let id = try await fixture.file()
            for _ in 0..<3 { _ = try await fixture.file(FileFixture.pixel, thumbnailOf: id) }
            #expect(try await fixture.upload([1]).code == "file_quota")
            let key = try await fixture.stack.key(.messages)
            // The installation has files of other tests, too.
            let large = [UInt8](repeating: 1, count: FileFixture.text.count + size + 1)
            let stored = try await fixture.server.send(.post, fixture.target(), as: key.credentials, bytes: large)
            #expect(stored.status == 201, "\(stored)")
        }
    }

    @Test func `of many uploads at once no more are stored than the quota allows`() async throws {
        try await withServer(["CHAT_FILE_QUOTA_BYTES": "40"]) { fixture in
            let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<8 { group.addTask { try await fixture.upload().status } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(statuses.count { $0 == 201 } == 3 && statuses.count { $0 == 413 } == 5, "\(statuses)")
        }
    }

    @Test func `uploads have a rate, thumbnails do not`() async throws {
        try await withServer(["CHAT_LIMIT_FILES": "1/m"]) { fixture in
            let id = try await fixture.file()
            for _ in 0..<4 { _ = try await fixture.file() }
            let refused = try await fixture.upload()
            #expect(refused.status == 429 && refused.header("Retry-After") != nil)
            _ = try await fixture.file(FileFixture.pixel, thumbnailOf: id)
            #expect(try await fixture.upload(as: fixture.member).status == 201)
        }
    }

    @Test func `a repeated key costs nothing of the rate, and is looked up before the room`() async throws {
        try await withServer(["CHAT_LIMIT_FILES": "1/m"]) { fixture in
            let first = try await fixture.upload(key: "k").require(201, "upload")
            for _ in 0..<4 { _ = try await fixture.file() }
            #expect(try await fixture.upload().code == "rate_limited")
            for _ in 0..<3 {
                let again = try await fixture.upload(key: "k")
                #expect(again.status == 200 && again.json["fileId"] == first.json["fileId"])
            }
            let elsewhere = try await fixture.upload(in: Unique.name("none"), key: "k")
            #expect(elsewhere.status == 409 && elsewhere.code == "idempotency_key_reused")
            try await fixture.upload(as: fixture.member, key: "k").require(201, "member")
            try await fixture.stack.system.send(
                .delete, "/api/v1/rooms/\(fixture.roomID)/members/\(fixture.member.userID)",
                as: fixture.owner.credentials
            ).require(204, "remove")
            #expect(try await fixture.upload(as: fixture.member, key: "k").status == 200)
            #expect(try await fixture.upload(as: fixture.member).code == "room_not_found")
        }
    }

    @Test func `a file that never fits into the spool is too large, before its body is sent`() async throws {
        try await withServer(["CHAT_FILE_SPOOL_BYTES": "1000"]) { fixture in
            let port = Int(fixture.server.baseURL.split(separator: ":").last ?? "") ?? 0
            let answer = try await RawHTTP.exchange(
                port: port,
                "POST \(fixture.target()) HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \(fixture.owner.token ?? "")\r\n"
                    + "Expect: 100-continue\r\nContent-Length: 1001\r\n\r\n")
            #expect(answer.hasPrefix("HTTP/1.1 413") && answer.contains("file_too_large"), "\(answer)")
        }
    }

    @Test func `bytes that are read count for the user, and for the address with a signature alone`() async throws {
        try await withServer(["CHAT_LIMIT_READS": "1/m"]) { fixture in
            let stored = try await fixture.upload().require(201, "upload").json
            let id = try #require(stored["fileId"]?.string)
            let url = try #require(stored["url"]?.string)
            // All of them have the same address.
            for _ in 0..<5 { #expect(try await fixture.download(id).status == 200) }
            let refused = try await fixture.download(id)
            #expect(refused.code == "rate_limited" && refused.header("Retry-After") != nil)
            #expect(try await fixture.download(id, as: fixture.member).status == 200)
            let key = try await fixture.stack.key(.messages)
            for _ in 0..<7 {
                #expect(
                    try await fixture.server.get("/api/v1/files/\(id)", as: key.credentials).status == 200)
            }
            for _ in 0..<4 { #expect(try await fixture.server.get(url).status == 200) }
            #expect(try await fixture.server.get("/api/v1/files/\(id)").status == 401)
            #expect(try await fixture.server.get(url).code == "rate_limited")
            #expect(try await fixture.server.get("/api/v1/files/\(id)").code == "rate_limited")
            #expect(try await fixture.download(id, as: fixture.member).status == 200)
        }
    }

    @Test func `ten uploads of a user are under way at a time, and a broken one gives its place back`() async throws {
        try await withServer(["CHAT_FILE_SPOOL_BYTES": "1000"]) { fixture in
            let port = Int(fixture.server.baseURL.split(separator: ":").last ?? "") ?? 0
            let request =
                "POST \(fixture.target()) HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \(fixture.owner.token ?? "")\r\n"
                + "Expect: 100-continue\r\nContent-Length: 90\r\n\r\n"
            var open: [RawConnection] = []
            for _ in 0..<10 {
                let connection = try await RawConnection(port: port)
                try await connection.send(request)
                #expect(try await connection.next().hasPrefix("HTTP/1.1 100"))
                open.append(connection)
            }
            let refused = try await fixture.upload()
            #expect(refused.code == "rate_limited")
            // What is announced takes nothing of the spool, what has begun to come does: then 100 bytes are left.
            let whole = try await fixture.upload([UInt8](repeating: 1, count: 1_000), as: fixture.member)
            #expect(whole.status == 201)
            // Its bytes are given back a moment after its answer.
            try await waitForSpool(0, fixture)
            for connection in open { try await connection.send("x") }
            try await waitForSpool(900, fixture)
            let tooMuch = try await fixture.upload([UInt8](repeating: 1, count: 101), as: fixture.member)
            #expect(tooMuch.status == 503 && tooMuch.header("Retry-After") != nil, "\(tooMuch)")
            #expect(try await fixture.upload([UInt8](repeating: 1, count: 100), as: fixture.member).status == 201)
            for connection in open { await connection.close() }
            try await FileFixture.wait(for: 201) { try await fixture.upload() }
            try await FileFixture.wait(for: 201) {
                try await fixture.upload([UInt8](repeating: 1, count: 1_000), as: fixture.member)
            }
        }
    }

    @Test func `without a store there are no files`() async throws {
        try await withServer(["CHAT_FILE_STORE": "none"]) { fixture in
            #expect(try await fixture.upload().code == "files_off")
            #expect(try await fixture.info("none").code == "files_off")
            #expect(try await fixture.download("none").code == "files_off")
            #expect(try await fixture.delete("none").code == "files_off")
            // On a busy machine another check can be late once.
            let ready = try await fixture.server.waitForAnswer("/health/ready", 200)
            #expect(ready.json["checks"]?["files"] == nil)
        }
    }

    @Test func `a store that is set and another installation's ends the start with 78`() async throws {
        let stack = try await SharedStack.running()
        let folder = "\(stack.processes.folder)/foreign-\(Unique.name())"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try Data("another\n".utf8).write(to: URL(filePath: folder + "/installation"))
        let server = try stack.makeServer(.message, ["CHAT_FILE_STORE": "folder:\(folder)"])
        await #expect(throws: (any Error).self) { try await server.start(timeout: .seconds(60)) }
        let log = try String(contentsOfFile: server.configuration.logFile, encoding: .utf8)
        #expect(log.contains("CHAT_FILE_STORE is not the store of this installation"))
    }

    @Test func `with the default store that is another's, files are 503 and all else works`() async throws {
        let stack = try await SharedStack.running()
        // So that the installation has files.
        _ = try await FileFixture(stack).file()
        let folder = "\(stack.processes.folder)/data-\(Unique.name())"
        try await stack.withServer(.message, ["CHAT_DATA_DIR": folder]) { server in
            let fixture = try await FileFixture(stack, server: server)
            let refused = try await fixture.upload()
            #expect(refused.status == 503 && refused.code == "store_foreign" && refused.header("Retry-After") != nil)
            #expect(try await fixture.info("none").code == "store_foreign")
            // What readiness says is a second old, at most.
            let ready = try await fixture.server.waitForAnswer("/health/ready", 200) { $0.json["status"] == "degraded" }
            #expect(ready.json["checks"]?["files"]?.string?.contains("installation") == true)
            #expect(try await fixture.send(SharedStack.post("Hello", in: fixture.roomID)).status == 201)
        }
    }

    @Test func `a file that no message names goes after its time, with its bytes, and one that is named stays`()
        async throws
    {
        try await withServer(["CHAT_FILE_UNUSED_SECONDS": "3600"]) { fixture in
            let named = try await fixture.file()
            #expect(try await fixture.send(fixture.post(named)).status == 201)
            let unnamed = try await fixture.file()
            let store = "\(fixture.stack.processes.folder)/data/files/"
            let path = store + "\(unnamed.prefix(2))/\(unnamed)"
            #expect(FileManager.default.fileExists(atPath: path))
            // Older than this server keeps a file, and younger than the others of the stack do.
            try await fixture.stack.processes.postgres.run(
                sql: """
                    UPDATE files SET created_at = now() - interval '2 hours'
                    WHERE file_id IN ('\(named)', '\(unnamed)')
                    """)
            try await FileFixture.wait(for: 404) { try await fixture.info(unnamed) }
            let deadline = ContinuousClock.now + .seconds(40)
            while FileManager.default.fileExists(atPath: path) {
                try #require(ContinuousClock.now < deadline)
                try await Task.sleep(for: .milliseconds(100))
            }
            #expect(try await fixture.download(named).status == 200)
        }
    }

    @Test func `the files of an erased user go at once, also those that messages name`() async throws {
        let fixture = try await FileFixture(try await SharedStack.running())
        let id = try await fixture.file(as: fixture.member)
        let unnamed = try await fixture.file(as: fixture.member)
        let posted = try await fixture.send(fixture.post(id), as: fixture.member).require(201, "post")
        let erase: JSON = ["password": .string(SharedStack.password)]
        let erased = try await fixture.stack.system.post(
            "/api/v1/users/me/erase", erase, as: fixture.member.credentials)
        #expect(erased.status == 204, "\(erased)")
        #expect(try await fixture.download(id).code == "file_gone")
        #expect(try await fixture.info(id).code == "file_gone")
        #expect(try await fixture.download(unnamed).code == "file_not_found")
        let path = "/api/v1/messages/\(posted.json["messageId"]?.int ?? 0)"
        #expect(try await fixture.server.get(path, as: fixture.owner.credentials).content["fileId"] == .string(id))
        try await fixture.server.send(.delete, path, as: fixture.owner.credentials).require(204, "delete")
        #expect(try await fixture.download(id).code == "file_not_found")
    }

    @Test func `a server that is killed in an upload leaves nothing, and its key is free`() async throws {
        let stack = try await SharedStack.running()
        let data = "\(stack.processes.folder)/data"
        let server = try stack.makeServer(.message, [:])
        try await server.start(timeout: .seconds(60))
        let fixture = try await FileFixture(stack)
        let connection = try await RawConnection(port: server.port)
        try await connection.send(
            "POST \(fixture.target()) HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \(fixture.owner.token ?? "")\r\n"
                + "Idempotency-Key: killed\r\nExpect: 100-continue\r\nContent-Length: 500\r\n\r\n")
        #expect(try await connection.next().hasPrefix("HTTP/1.1 100"))
        try await connection.send("some of it")
        #expect(try await fixture.upload(key: "killed").code == "upload_in_progress")
        let before = try FileManager.default.contentsOfDirectory(atPath: data + "/uploads").count
        try await server.kill()
        // Its lease runs out.
        try await FileFixture.wait(for: 201) { try await fixture.upload(key: "killed") }
        // The next server removes what it has left.
        try await stack.withServer(.message) { _ in
            let after = try FileManager.default.contentsOfDirectory(atPath: data + "/uploads").count
            #expect(after <= before)
        }
    }
}
