import ChatLocalStack
import ChatTestSupport
import Testing

/// `GET /files/{id}`, with a whole stack.
@Suite(.timeLimit(.minutes(2))) struct DownloadTests {
    @Test func `a file is served as what it is, and can do no harm`() async throws {
        let fixture = try await FileFixture(try await SharedStack.running())
        let page = Array("<html><script>alert(1)</script></html>".utf8)
        let id = try await fixture.upload(page, name: "a%22b.png").json["fileId"]?.string ?? ""
        let read = try await fixture.download(id, as: fixture.member)
        #expect(read.bytes == page && read.header("Content-Type") == "application/octet-stream")
        #expect(read.header("Content-Disposition") == "attachment; filename*=UTF-8''a%22b.png")
        #expect(read.header("X-Content-Type-Options") == "nosniff")
        #expect(read.header("Content-Security-Policy") == "sandbox; default-src 'none'")
        #expect(read.header("Cache-Control") == "private, max-age=3600, immutable")
        #expect(read.header("Accept-Ranges") == "bytes")
        let picture = try await fixture.download(try await fixture.file(FileFixture.pixel))
        #expect(picture.header("Content-Disposition")?.hasPrefix("inline") == true)
    }

    @Test func `HEAD says what GET would`() async throws {
        let fixture = try await FileFixture(try await SharedStack.running())
        let id = try await fixture.file()
        let (get, head) = (
            try await fixture.download(id),
            try await fixture.server.send(
                .init("HEAD"), "/api/v1/files/\(id)", as: fixture.owner.credentials, headers: [("Range", "bytes=0-0")])
        )
        #expect(head.status == 200 && head.bytes.isEmpty)
        for name in ["Content-Length", "Content-Type", "ETag", "Content-Disposition"] {
            #expect(head.header(name) == get.header(name), "\(name)")
        }
    }

    /// A range and what comes of it: the status, `Content-Range` and the body.
    struct RangeCase: Sendable {
        let range: String
        let status: Int
        var contentRange: String?
        var body: String?
    }

    @Test(arguments: [
        RangeCase(range: "bytes=0-4", status: 206, contentRange: "bytes 0-4/12", body: "Hello"),
        RangeCase(range: "bytes=7-", status: 206, contentRange: "bytes 7-11/12", body: "file\n"),
        RangeCase(range: "bytes=-5", status: 206, contentRange: "bytes 7-11/12", body: "file\n"),
        RangeCase(range: "bytes=-500", status: 206, contentRange: "bytes 0-11/12", body: "Hello, file\n"),
        RangeCase(range: "bytes=11-99999999999999999999999", status: 206, contentRange: "bytes 11-11/12", body: "\n"),
        RangeCase(range: "bytes=12-", status: 416, contentRange: "bytes */12"),
        RangeCase(range: "bytes=-0", status: 416, contentRange: "bytes */12"),
        RangeCase(range: "bytes=4-2", status: 200, body: "Hello, file\n"),
        RangeCase(range: "bytes=0-1,3-4", status: 200, body: "Hello, file\n"),
        RangeCase(range: "bytes=a-b", status: 200, body: "Hello, file\n"),
        RangeCase(range: "lines=1-2", status: 200, body: "Hello, file\n"),
        RangeCase(range: "bytes=", status: 200, body: "Hello, file\n"),
    ])
    func `one range is served, a malformed one is none`(example: RangeCase) async throws {
        let fixture = try await FileFixture(try await SharedStack.running())
        let read = try await fixture.download(try await fixture.file(), headers: [("Range", example.range)])
        #expect(read.status == example.status && read.header("Content-Range") == example.contentRange, "\(read)")
        if let body = example.body {
            #expect(read.text == body)
            #expect(read.header("X-Content-Type-Options") == "nosniff")
            #expect(read.header("Content-Security-Policy") == "sandbox; default-src 'none'")
        } else {
            #expect(read.code == "range_not_satisfiable")
        }
    }

    @Test func `a thousand ranges are none`() async throws {
        let fixture = try await FileFixture(try await SharedStack.running())
        let ranges = (0..<1_000).map { "\($0)-\($0)" }.joined(separator: ",")
        let read = try await fixture.download(try await fixture.file(), headers: [("Range", "bytes=\(ranges)")])
        #expect(read.status == 200 && read.bytes == FileFixture.text)
    }

    @Test func `conditions are about the file's tag`() async throws {
        let fixture = try await FileFixture(try await SharedStack.running())
        let id = try await fixture.file()
        let tag = try #require(try await fixture.download(id).header("ETag"))
        for tags in [tag, "\"other\", \(tag)", "W/\(tag)", "*"] {
            let unchanged = try await fixture.download(id, headers: [("If-None-Match", tags)])
            #expect(unchanged.status == 304 && unchanged.bytes.isEmpty && unchanged.header("ETag") == tag, "\(tags)")
            #expect(unchanged.header("Content-Length") == nil)
        }
        #expect(try await fixture.download(id, headers: [("If-None-Match", "\"other\"")]).status == 200)
        let range = ("Range", "bytes=0-0")
        #expect(try await fixture.download(id, headers: [range, ("If-Range", tag)]).status == 206)
        for other in ["W/\(tag)", "\"other\"", "Tue, 01 Dec 2026 00:00:00 GMT"] {
            #expect(try await fixture.download(id, headers: [range, ("If-Range", other)]).status == 200, "\(other)")
        }
    }

    @Test func `a file is read by who may read its room, or with its own signature`() async throws {
        let fixture = try await FileFixture(try await SharedStack.running())
        let stored = try await fixture.upload()
        let (id, url) = (stored.json["fileId"]?.string ?? "", stored.json["url"]?.string ?? "")
        let other = try await fixture.file()
        let path = "/api/v1/files/\(id)"
        let signature = url.dropFirst(path.count + 1)
        let server = fixture.server
        #expect(try await server.get(path).status == 401)
        #expect(try await server.get(path, as: .token("not.a.token")).status == 401)
        #expect(try await fixture.download(id, as: fixture.stranger).code == "file_not_found")
        #expect(try await fixture.info(id, as: fixture.stranger).code == "file_not_found")
        #expect(try await server.get(url).status == 200)
        #expect(try await server.send(.init("HEAD"), url).status == 200)
        #expect(try await server.send(.init("HEAD"), path).status == 401)
        #expect(try await server.get(url, as: .token("not.a.token")).status == 200)
        #expect(try await server.get(url, as: fixture.stranger.credentials).status == 200)
        for query in [
            String(signature.dropLast()) + (signature.last == "A" ? "B" : "A"),
            String(signature.replacing(#/expires=\d+/#, with: "expires=9999999999")),
            String(signature.replacing("expires=", with: "expires=0")), "signature=abc", "expires=1",
            "expires=x&signature=%2F",
        ] {
            #expect(try await server.get(path + "?" + query).code == "bad_signature", "\(query)")
            #expect(try await server.get(path + "?" + query, as: fixture.member.credentials).status == 200)
            #expect(try await server.get(path + "?" + query, as: .token("bad")).code == "bad_signature")
        }
        #expect(try await server.get("/api/v1/files/\(other)?\(signature)").code == "bad_signature")
        #expect(try await server.get("/api/v1/files/none?\(signature)").code == "bad_signature")
        #expect(try await server.get("/api/v1/files/..%2Fetc", as: fixture.owner.credentials).status == 404)
    }

    @Test func `files are listed in the order asked, without those that are not one's`() async throws {
        let fixture = try await FileFixture(try await SharedStack.running())
        let (first, second) = (try await fixture.file(), try await fixture.file())
        let elsewhere = try await fixture.stack.room(of: fixture.stranger)
        let hidden = try await fixture.file(as: fixture.stranger, in: elsewhere)
        let ids = [second, hidden, first, "none", "NO-ID"].joined(separator: ",")
        let list = try await fixture.server.get("/api/v1/files?ids=\(ids)", as: fixture.member.credentials)
        #expect(list.json["items"]?.array?.map { $0["fileId"]?.string } == [second, first])
        let many = Array(repeating: first, count: 101).joined(separator: ",")
        for ids in ["", many] {
            let refused = try await fixture.server.get("/api/v1/files?ids=\(ids)", as: fixture.owner.credentials)
            #expect(refused.status == 422 && refused.fields == ["ids"])
        }
    }

    @Test func `a browser page of another origin reads the fields of a range`() async throws {
        let fixture = try await FileFixture(try await SharedStack.running())
        let read = try await fixture.download(try await fixture.file(), headers: [("Origin", "https://a.example")])
        let exposed = read.header("Access-Control-Expose-Headers") ?? ""
        for name in ["Content-Range", "Accept-Ranges", "ETag"] { #expect(exposed.contains(name)) }
    }

    @Test func `downloads whose clients take nothing keep nobody from the store for long`() async throws {
        let stack = try await SharedStack.running()
        try await stack.withServer(.message) { server in
            let fixture = try await FileFixture(stack, server: server)
            // More than the kernel takes for a client that does not read.
            let id = try await fixture.file([UInt8](repeating: 7, count: 24_000_000))
            func metric(_ line: String) async throws -> Bool {
                try await fixture.server.get("/metrics").text.contains(line + "\n")
            }
            var stalled: [RawConnection] = []
            for _ in 0..<16 {
                let connection = try await RawConnection(port: server.port, reads: false)
                try await connection.send(
                    "GET /api/v1/files/\(id) HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \(fixture.owner.token ?? "")\r\n\r\n"
                )
                stalled.append(connection)
            }
            let deadline = ContinuousClock.now + .seconds(30)
            while try await !metric(#"chat_file_downloads{state="active"} 16"#) {
                try #require(ContinuousClock.now < deadline)
                try await Task.sleep(for: .milliseconds(50))
            }
            let range = [("Range", "bytes=0-9")]
            // Another user is not concerned, the same one waits until a place is taken from a download that stands still.
            #expect(try await fixture.download(id, as: fixture.member, headers: range).status == 206)
            #expect(try await metric("chat_file_downloads_cut_total 0"))
            #expect(try await fixture.download(id, headers: range).status == 206)
            #expect(try await metric("chat_file_downloads_cut_total 1"))
            for connection in stalled { await connection.close() }
        }
    }

    @Test func `a large file comes whole to a slow reader`() async throws {
        let fixture = try await FileFixture(try await SharedStack.running())
        let bytes = (0..<8_000_000).map { UInt8(truncatingIfNeeded: $0 &* 7 >> 2) }
        let id = try await fixture.file(bytes)
        #expect(try await fixture.download(id).bytes == bytes)
        let part = try await fixture.download(id, headers: [("Range", "bytes=3999999-4500000")])
        #expect(part.bytes == Array(bytes[3_999_999...4_500_000]))
    }
}
