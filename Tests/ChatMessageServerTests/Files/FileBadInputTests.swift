import ChatLocalStack
import ChatStorage
import ChatTestSupport
import CommonUtil
import Foundation
import Logging
import PostgresClient
import Testing

@testable import ChatMessageServer

/// Uploads and downloads of clients that make mistakes or mean harm, with a server, a spool and a store of their own.
@Suite(.timeLimit(.minutes(2))) struct FileBadInputTests {
    /// A server and what it keeps.
    private struct Place {
        let fixture: FileFixture
        let port: Int
        let spool: String
        let store: String
        let client: PostgresClient

        static func with(_ environment: [String: String] = [:], _ body: (Place) async throws -> Void) async throws {
            let stack = try await SharedStack.running()
            let data = "\(stack.processes.folder)/bad-\(Unique.name())"
            let store = "\(stack.processes.folder)/data/files"
            let settings = ["CHAT_DATA_DIR": data, "CHAT_FILE_STORE": "folder:\(store)"].merging(environment) { $1 }
            let client = PostgresClient(
                configuration: try PostgresConfiguration(url: stack.processes.postgres.url),
                logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
            try await whileRunning {
                try await client.run()
            } _: {
                try await stack.withServer(.message, settings) { server in
                    try await body(
                        Place(
                            fixture: try await FileFixture(stack, server: server), port: server.port,
                            spool: data + "/uploads", store: store, client: client))
                }
            }
        }

        func head(_ target: String? = nil, _ fields: String = "") -> String {
            "POST \(target ?? fixture.target()) HTTP/1.1\r\nHost: x\r\n"
                + "Authorization: Bearer \(fixture.owner.token ?? "")\r\n\(fields)"
        }

        private var spooled: [String] {
            get throws {
                try FileManager.default.subpathsOfDirectory(atPath: spool).filter { $0.contains("/") }
            }
        }

        /// The paths of all that the store has.
        func stored() throws -> Set<String> {
            Set(try FileManager.default.subpathsOfDirectory(atPath: store).filter { $0.contains("/") })
        }

        private func rows(_ sql: String) async throws -> Int64 {
            let user = PostgresParameter.int8(fixture.owner.userID)
            return try #require(try await client.query(PostgresStatement(sql), user).first).decode(column: 0)
        }

        /// What the store has since then that is no other test's: other suites use the same one.
        private func left(since before: Set<String>) async throws -> Set<String> {
            // Bytes go before their row does, and come after it: what another test has stored by now has one.
            let added = try stored().subtracting(before)
            let others = try await client.query(
                PostgresStatement(
                    """
                    SELECT file_id FROM files WHERE uploader_id <> $1
                    UNION ALL SELECT file_id FROM file_uploads WHERE uploader_id <> $1
                    """), .int8(fixture.owner.userID)
            ).map { try $0.decode(column: 0, as: String.self) }
            let keys = Set(others)
            return added.filter { !keys.contains(URL(filePath: $0).lastPathComponent) }
        }

        /// Checks that nothing is left of the owner's uploads: in the spool, in the store and in the database.
        /// - Parameter before: the paths of what the store had.
        func expectNothingLeft(_ before: Set<String>, files: Int64 = 0) async throws {
            // The end of a broken one is noticed a moment after its connection's.
            let deadline = ContinuousClock.now + .seconds(20)
            while try await rows(
                "SELECT count(*) FROM file_uploads WHERE uploader_id = $1 AND held_until > now()") > 0
            {
                try #require(ContinuousClock.now < deadline)
                try await Task.sleep(for: .milliseconds(20))
            }
            // A thread of the disk removes them, also after an answer, and reports it to nobody.
            while try !spooled.isEmpty {
                try #require(ContinuousClock.now < deadline, "left in the spool")
                try await Task.sleep(for: .milliseconds(20))
            }
            // What another test is writing or removing at this moment is gone, or has a row, a moment later.
            var rest = try await left(since: before)
            while !rest.isEmpty, ContinuousClock.now < deadline {
                try await Task.sleep(for: .milliseconds(20))
                rest = try await left(since: before)
            }
            #expect(rest.isEmpty)
            #expect(try await rows("SELECT count(*) FROM files WHERE uploader_id = $1") == files)
        }
    }

    // MARK: Bodies

    @Test func `a body that is no whole body leaves nothing behind`() async throws {
        try await Place.with(["CHAT_FILE_MAX_BYTES": "1000"]) { place in
            let before = try place.stored()
            for (framing, status) in [
                ("Content-Length: 100\r\n\r\nshort", 400), ("Transfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n", 400),
                ("Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400), ("Content-Length: 0\r\n\r\n", 422),
                ("Content-Length: 1001\r\n\r\n" + String(repeating: "x", count: 1_001), 413),
                ("Content-Length: 99999999999999999999\r\n\r\n", 400),
                ("Content-Length: -1\r\n\r\n", 400), ("Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400),
                (
                    "Transfer-Encoding: chunked\r\n\r\n3e9\r\n" + String(repeating: "x", count: 1_001)
                        + "\r\n0\r\n\r\n", 413
                ),
                ("Transfer-Encoding: gzip, chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n", 501),
            ] {
                let answer = try await RawHTTP.exchange(
                    port: place.port, place.head(nil, "Connection: close\r\n" + framing), endsOutput: true)
                #expect(answer.hasPrefix("HTTP/1.1 \(status) "), "\(framing.prefix(60)) \(answer.prefix(200))")
            }
            try await place.expectNothingLeft(before)
        }
    }

    @Test func `a connection that is cut in the middle leaves nothing behind`() async throws {
        try await Place.with { place in
            let before = try place.stored()
            for _ in 0..<5 {
                let connection = try await RawConnection(port: place.port)
                try await connection.send(place.head(nil, "Expect: 100-continue\r\nContent-Length: 500000\r\n\r\n"))
                #expect(try await connection.next().hasPrefix("HTTP/1.1 100"))
                try await connection.send(String(repeating: "x", count: 300_000))
                await connection.close()
            }
            try await place.expectNothingLeft(before)
        }
    }

    @Test func `what is sent behind a body is no part of the file`() async throws {
        try await Place.with { place in
            let answer = try await RawHTTP.exchange(
                port: place.port, place.head(nil, "Content-Length: 5\r\n\r\nHello, and more\r\n\r\n"))
            #expect(answer.hasPrefix("HTTP/1.1 201") && answer.contains(#""fileSize":5"#))
            #expect(answer.contains("HTTP/1.1 400"))
        }
    }

    @Test func `an early answer reaches a client that sends on, also where the connection is to be closed`()
        async throws
    {
        try await Place.with { place in
            for fields in ["Connection: close\r\n", ""] {
                // The server reads on for two seconds: a client that took longer has to try again.
                let deadline = ContinuousClock.now + .seconds(50)
                var isSent = false
                while !isSent {
                    let start = ContinuousClock.now
                    let connection = try await RawConnection(port: place.port)
                    let target = place.fixture.target(in: Unique.name("none"))
                    try await connection.send(place.head(target, fields + "Content-Length: 900000\r\n\r\n"))
                    var answer = ""
                    while !answer.contains("room_not_found") {
                        let more = try await connection.next()
                        try #require(!more.isEmpty)
                        answer += more
                    }
                    #expect(answer.hasPrefix("HTTP/1.1 404") && answer.contains("Connection: close"))
                    do {
                        // More than the kernel keeps for a socket that nobody reads: else it ends with a reset.
                        try await connection.send(String(repeating: "x", count: 900_000))
                        isSent = true
                    } catch {
                        let now = ContinuousClock.now
                        try #require(now - start > .milliseconds(1_500) && now < deadline, "\(error)")
                    }
                    await connection.close()
                }
            }
        }
    }

    // MARK: Limits

    @Test func `a quota and a rate that are used up leave nothing behind`() async throws {
        try await Place.with(["CHAT_FILE_QUOTA_BYTES": "12", "CHAT_LIMIT_FILES": "1/m"]) { place in
            let fixture = place.fixture
            _ = try await fixture.file()
            let before = try place.stored()
            #expect(try await fixture.upload([1]).code == "file_quota")
            // Its size is known only at its end.
            let chunked = try await RawHTTP.exchange(
                port: place.port,
                place.head(nil, "Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n"))
            #expect(chunked.hasPrefix("HTTP/1.1 413") && chunked.contains("file_quota"), "\(chunked)")
            var refused = try await fixture.upload([1])
            while refused.code == "file_quota" { refused = try await fixture.upload([1]) }
            #expect(refused.status == 429 && refused.header("Retry-After") != nil)
            try await place.expectNothingLeft(before, files: 1)
        }
    }

    // MARK: Names

    @Test(arguments: [
        "..%2F..%2Fetc%2Fpasswd", "..", ".", "%2Fetc%2Fpasswd", "a%2Fb", "..%5C..%5Cboot.ini", "a%00.png", "%00",
        "a%0D%0Ab",
        "a%1Bb", "a%C2%85b", "invoice%E2%80%AEgnp.exe", "a%E2%81%A7b", String(repeating: "a", count: 300),
        String(repeating: "%F0%9F%98%80", count: 256), "",
    ])
    func `a name that could be more than a label is refused`(name: String) async throws {
        let fixture = try await FileFixture(try await SharedStack.running())
        let refused = try await fixture.upload(name: name)
        #expect(refused.status == 422 && Set(refused.fields) == ["name"], "\(refused)")
    }

    @Test(arguments: [
        "CON", "NUL.txt", "aux", "a%3Ab", "%7Eroot", "-rf", "a%20.", "%25s%25n", "%3Cscript%3E", "'%22%3B",
    ])
    func `a name that only some systems mind is a label, and quoted where it is served`(name: String) async throws {
        let fixture = try await FileFixture(try await SharedStack.running())
        let stored = try await fixture.upload(name: name).require(201, "upload").json
        #expect(stored["name"]?.string == name.removingPercentEncoding)
        let read = try await fixture.download(stored["fileId"]?.string ?? "")
        let disposition = try #require(read.header("Content-Disposition"))
        #expect(disposition.firstMatch(of: #/^attachment; filename\*=UTF-8''[A-Za-z0-9!#$&+.^_`|~%-]+$/#) != nil)
    }

    // MARK: Contents

    private func served(_ bytes: [UInt8], name: String = "picture.png") async throws -> RESTResponse {
        let fixture = try await FileFixture(try await SharedStack.running())
        let stored = try await fixture.server.send(
            .post, fixture.target(name: name), as: fixture.owner.credentials,
            headers: [("Content-Type", "image/png")], bytes: bytes
        ).require(201, "upload").json
        #expect(stored["fileSize"]?.int == Int64(bytes.count))
        let read = try await fixture.server.get(stored["url"]?.string ?? "")
        #expect(read.status == 200 && read.bytes == bytes)
        #expect(read.header("Content-Type") == stored["mimeType"]?.string)
        #expect(read.header("X-Content-Type-Options") == "nosniff")
        #expect(read.header("Content-Security-Policy") == "sandbox; default-src 'none'")
        return read
    }

    @Test(arguments: [
        "<html><script>alert(1)</script>", "<!DOCTYPE html>", "\u{FEFF}<html>", "  \n<script>alert(1)</script>",
        "<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
        "<?xml version='1.0'?><svg onload='alert(1)'/>", "<!-- --><svg/>",
    ])
    func `a page or a drawing with a script is bytes to be kept, whatever it is called`(text: String) async throws {
        let read = try await served(Array(text.utf8))
        #expect(read.header("Content-Type") == "application/octet-stream")
        #expect(read.header("Content-Disposition")?.hasPrefix("attachment") == true)
    }

    @Test func `a picture that is a script as well is a picture alone`() async throws {
        let read = try await served(try Fuzzer.input("files", "polyglot.gif"), name: "a.js")
        #expect(read.header("Content-Type") == "image/gif")
    }

    @Test func `a picture of two thousand million pixels a side is stored without its size`() async throws {
        let fixture = try await FileFixture(try await SharedStack.running())
        for side in [UInt32(1) << 31, .max, 0] {
            let bytes = FileFixture.picture(width: side, height: side)
            let stored = try await fixture.upload(bytes).require(201, "upload").json
            #expect(stored["mimeType"] == "image/png" && stored["width"] == nil && stored["height"] == nil)
            let thumbnail = try await fixture.upload(bytes, thumbnailOf: stored["fileId"]?.string)
            #expect(thumbnail.status == 422 && thumbnail.fields == ["thumbnailOf"])
        }
    }

    @Test func `an archive that would become very large is never unpacked`() async throws {
        // One entry that says that it is 4 GiB, and a member of a GZIP file that says the same.
        func bytes(_ number: UInt32) -> [UInt8] { withUnsafeBytes(of: number.littleEndian) { Array($0) } }
        let archive =
            Array("PK\u{3}\u{4}".utf8) + [20, 0, 0, 0, 8, 0, 0, 0, 0, 0] + bytes(0) + bytes(30) + bytes(.max) + [
                1, 0, 0, 0,
            ]
            + Array("a".utf8) + [UInt8](repeating: 0, count: 30)
        let read = try await served(archive, name: "a.zip")
        #expect(read.header("Content-Type") == "application/zip")
        #expect(read.header("Content-Disposition")?.hasPrefix("attachment") == true)
        let compressed: [UInt8] = [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 3, 0x4B, 4, 0] + bytes(0) + bytes(.max)
        #expect(try await served(compressed, name: "a.gz").header("Content-Type") == "application/gzip")
    }

    // MARK: Signatures

    @Test func `an expired or foreign signature opens nothing, and one for a file no other`() async throws {
        try await Place.with { place in
            let fixture = place.fixture
            let (one, other) = (try await fixture.file(), try await fixture.file())
            let secrets = try await FileSecrets(ChatDatabase(place.client)).current()
            let past = Timestamp(microseconds: Timestamp.now.microseconds - 2 * 3_600 * 1_000_000)
            let signer = FileURLSigner(secrets: secrets)
            let server = fixture.server
            #expect(try await server.get(signer.url(of: FileID(verified: one), at: .now)).status == 200)
            let expired = signer.url(of: FileID(verified: one), at: past)
            let late = try await server.get(expired)
            #expect(late.status == 403 && late.code == "url_expired")
            #expect(try await server.get(expired, as: fixture.member.credentials).status == 200)
            #expect(try await server.get(expired, as: fixture.stranger.credentials).status == 404)
            let moved = signer.url(of: FileID(verified: one), at: .now).replacing(one, with: other)
            #expect(try await server.get(moved).code == "bad_signature")
            let forged = FileURLSigner(secrets: [FileSecret(bytes: [UInt8](repeating: 7, count: 32), createdAt: past)])
            #expect(try await server.get(forged.url(of: FileID(verified: one), at: .now)).code == "bad_signature")
        }
    }
}
