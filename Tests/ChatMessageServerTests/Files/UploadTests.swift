import ChatLocalStack
import ChatTestSupport
import Crypto
import Foundation
import NIOCore
import Testing

/// `POST /files`, with a whole stack.
@Suite(.timeLimit(.minutes(2))) struct UploadTests {
    @Test func `an upload is a file with its hash, its type by its bytes and a URL without a token`() async throws {
        let fixture = try await FileFixture(try await SharedStack.running())
        let stored = try await fixture.upload(FileFixture.picture(width: 640, height: 480), name: "a%20b.html")
        #expect(stored.status == 201)
        let file = stored.json
        #expect(file["name"] == "a b.html" && file["roomId"] == .string(fixture.roomID))
        #expect(file["mimeType"] == "image/png" && file["width"] == 640 && file["height"] == 480)
        let bytes = FileFixture.picture(width: 640, height: 480)
        #expect(file["fileSize"] == .integer(Int64(bytes.count)))
        let digest = SHA256.hash(data: bytes).map { String(format: "%02x", $0) }.joined()
        #expect(file["sha256"] == .string(digest))
        let url = try #require(file["url"]?.string)
        // By another server than that which signed it.
        let read = try await fixture.stack.messages(1).get(url).require(200, "url")
        #expect(read.bytes == bytes && read.header("Content-Type") == "image/png")
        let id = try #require(file["fileId"]?.string)
        #expect(try await fixture.info(id, as: fixture.member).json["sha256"] == .string(digest))
    }

    @Test func `a chunked body of more than any JSON body is stored whole`() async throws {
        let fixture = try await FileFixture(try await SharedStack.running())
        let bytes = (0..<1_500_000).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }
        var request = Array(
            """
            POST \(fixture.target()) HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \(fixture.owner.token ?? "")\r
            Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n
            """.utf8)
        for start in stride(from: 0, to: bytes.count, by: 100_000) {
            let chunk = bytes[start..<min(start + 100_000, bytes.count)]
            request += Array("\(String(chunk.count, radix: 16))\r\n".utf8) + chunk + Array("\r\n".utf8)
        }
        request += Array("0\r\n\r\n".utf8)
        let port = fixture.stack.processes.messageServers[0].port
        let answer = String(buffer: try await RawHTTP.exchange(port: port, bytes: request, chunk: 64 * 1_024))
        #expect(answer.hasPrefix("HTTP/1.1 201"))
        let id = try #require(answer.firstMatch(of: #/"fileId":"([a-z0-9]+)"/#)).output.1
        #expect(try await fixture.download(String(id)).bytes == bytes)
    }

    @Test func `a body that is shorter than announced stores nothing and frees its key`() async throws {
        let fixture = try await FileFixture(try await SharedStack.running())
        let port = fixture.stack.processes.messageServers[0].port
        for framing in ["Content-Length: 100\r\n\r\nshort", "Transfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n"] {
            let answer = try await RawHTTP.exchange(
                port: port,
                "POST \(fixture.target()) HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \(fixture.owner.token ?? "")\r\n"
                    + "Idempotency-Key: cut\r\n" + framing, endsOutput: true)
            #expect(answer.hasPrefix("HTTP/1.1 400"), "\(answer)")
            // The end of the broken one is noticed a moment after its connection's.
            var again = try await fixture.upload(key: "cut")
            while again.code == "upload_in_progress" { again = try await fixture.upload(key: "cut") }
            #expect(again.status == 201)
            #expect(try await fixture.delete(again.json["fileId"]?.string ?? "").status == 204)
        }
    }

    @Test(arguments: [
        "", "a%2Fb", "..", ".", "a%5Cb", "a%00b", "a%0Ab", "a%E2%80%AEgpj.exe", "a%E2%81%A6b", "a%7Fb",
        String(repeating: "a", count: 256), "%FF",
    ])
    func `a name that is no label is refused`(name: String) async throws {
        let fixture = try await FileFixture(try await SharedStack.running())
        let refused = try await fixture.upload(name: name)
        #expect(refused.status == 422 && Set(refused.fields) == ["name"], "\(refused)")
    }

    @Test(arguments: [
        ("CON", "CON"), (String(repeating: "a", count: 255), String(repeating: "a", count: 255)),
        ("%ED%8C%8C%EC%9D%BC", "파일"), ("...", "..."),
    ])
    func `any other name is kept`(name: String, shown: String) async throws {
        let fixture = try await FileFixture(try await SharedStack.running())
        #expect(try await fixture.upload(name: name).json["name"] == .string(shown))
    }

    @Test func `without a room, a token, a body or the right to post there is no file`() async throws {
        let stack = try await SharedStack.running()
        let fixture = try await FileFixture(stack)
        let owner = fixture.owner.credentials
        let noRoom = try await fixture.server.send(.post, "/api/v1/files?name=a", as: owner, bytes: [1])
        #expect(noRoom.status == 422 && noRoom.fields == ["roomId"])
        let badOriginal = try await fixture.upload(thumbnailOf: "NO-ID")
        #expect(badOriginal.status == 422 && badOriginal.fields == ["thumbnailOf"])
        #expect(try await fixture.server.send(.post, fixture.target(), bytes: [1]).status == 401)
        let empty = try await fixture.upload([])
        #expect(empty.status == 422)
        #expect(try await fixture.upload(as: fixture.stranger).code == "room_not_found")
        #expect(try await fixture.upload(in: Unique.name("none")).code == "room_not_found")
        let open = try await stack.room("public", of: fixture.owner)
        #expect(try await fixture.upload(as: fixture.stranger, in: open).code == "not_a_member")
        try await stack.system.send(.delete, "/api/v1/rooms/\(open)", as: owner).require(200, "archive")
        #expect(try await fixture.upload(in: open).code == "room_archived")
    }

    @Test func `a repeated key gets the first file, another request of it a conflict`() async throws {
        let fixture = try await FileFixture(try await SharedStack.running())
        let first = try await fixture.upload(key: "k").require(201, "upload")
        let again = try await fixture.upload(Array("Other bytes".utf8), key: "k")
        #expect(again.status == 200 && again.json == first.json)
        #expect(try await fixture.upload(name: "other", key: "k").code == "idempotency_key_reused")
        let id = first.json["fileId"]?.string
        #expect(try await fixture.upload(thumbnailOf: id, key: "k").code == "idempotency_key_reused")
        // Another user's key is another key.
        #expect(try await fixture.upload(as: fixture.member, key: "k").status == 201)
        // Latin-1 and tabs, too: bytes that are no UTF-8 would make two keys one.
        for key in ["", String(repeating: "k", count: 65), "caf\u{E9}", "a\tb"] {
            #expect(try await fixture.upload(key: key).fields == ["Idempotency-Key"])
        }
    }

    @Test func `the body of a repeated upload is read to its end, since browsers drop an early response`() async throws
    {
        let fixture = try await FileFixture(try await SharedStack.running())
        let size = 4 << 20
        let head =
            "POST \(fixture.target()) HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \(fixture.owner.token ?? "")\r\n"
            + "Idempotency-Key: lost\r\nContent-Length: \(size)\r\n\r\n"
        let connection = try await RawConnection(port: fixture.stack.processes.messageServers[0].port)
        for status in ["201", "200", "200"] {
            try await connection.send(head)
            for _ in 0..<size / 65_536 { try await connection.send(String(repeating: "x", count: 65_536)) }
            let answer = try await connection.next()
            #expect(answer.hasPrefix("HTTP/1.1 \(status)") && !answer.contains("Connection: close"), "\(answer)")
        }
        await connection.close()
    }

    @Test func `while the first upload of a key is under way the next one waits its turn`() async throws {
        let fixture = try await FileFixture(try await SharedStack.running())
        let port = fixture.stack.processes.messageServers[1].port
        let request =
            "POST \(fixture.target()) HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \(fixture.owner.token ?? "")\r\n"
            + "Idempotency-Key: slow\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"
        let slow = try await RawConnection(port: port)
        try await slow.send(request)
        // Then the upload has begun.
        #expect(try await slow.next().hasPrefix("HTTP/1.1 100"))
        let second = try await fixture.upload(key: "slow")
        #expect(second.status == 409 && second.code == "upload_in_progress" && second.header("Retry-After") == "1")
        #expect(try await fixture.upload(name: "other", key: "slow").code == "idempotency_key_reused")
        try await slow.send("Hello")
        #expect(try await slow.next().hasPrefix("HTTP/1.1 201"))
        #expect(try await fixture.upload(key: "slow").status == 200)
        await slow.close()
    }

    /// Takes the minute that it is about.
    @Test func `a body of which no byte comes for a minute is 408, and its key is free`() async throws {
        let fixture = try await FileFixture(try await SharedStack.running())
        let connection = try await RawConnection(port: fixture.stack.processes.messageServers[0].port)
        let begin = ContinuousClock.now
        try await connection.send(
            "POST \(fixture.target()) HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \(fixture.owner.token ?? "")\r\n"
                + "Idempotency-Key: silent\r\nContent-Length: 500\r\n\r\nsome of it")
        let answer = try await connection.next()
        #expect(answer.hasPrefix("HTTP/1.1 408 ") && answer.contains("request_timeout"), "\(answer)")
        #expect(ContinuousClock.now - begin >= .seconds(60))
        await connection.close()
        try await FileFixture.wait(for: 201) { try await fixture.upload(key: "silent") }
    }

    @Test func `a refused upload is not asked for its body`() async throws {
        let fixture = try await FileFixture(try await SharedStack.running())
        let answer = try await RawHTTP.exchange(
            port: fixture.stack.processes.messageServers[0].port,
            "POST \(fixture.target(in: Unique.name("none"))) HTTP/1.1\r\nHost: x\r\n"
                + "Authorization: Bearer \(fixture.owner.token ?? "")\r\n"
                + "Expect: 100-continue\r\nContent-Length: 5000000\r\n\r\n")
        #expect(answer.hasPrefix("HTTP/1.1 404") && answer.contains("Connection: close"))
    }

    @Test func `in trusted mode the user is named, and a room is made on first use`() async throws {
        let stack = try await SharedStack.running(.trusted)
        let roomID = Unique.name("open")
        let target = "/api/v1/files?roomId=\(roomID)&name=a"
        #expect(try await stack.messages().send(.post, target, bytes: [1]).status == 401)
        let user = try await stack.user()
        let stored = try await stack.messages().send(.post, target, as: user.credentials, bytes: [1])
        #expect(stored.status == 201 && stored.json["mimeType"] == "application/octet-stream")
        let path = "/api/v1/files/\(stored.json["fileId"]?.string ?? "")"
        #expect(try await stack.messages().get(path).status == 401)
        #expect(try await stack.messages().get(path, as: user.credentials).bytes == [1])
    }
}
