import ChatTestSupport
import Testing

/// Thumbnails, with a whole stack.
@Suite(.timeLimit(.minutes(2))) struct ThumbnailTests {
    @Test func `a thumbnail belongs to its file, and a new one replaces it`() async throws {
        let fixture = try await FileFixture(try await SharedStack.running())
        let id = try await fixture.file(FileFixture.picture(width: 4_000, height: 3_000))
        #expect(try await fixture.info(id).json["thumbnailUrl"] == nil)
        let first = try await fixture.file(FileFixture.picture(width: 640, height: 480), thumbnailOf: id)
        let url = try #require(try await fixture.info(id, as: fixture.member).json["thumbnailUrl"]?.string)
        #expect(url.hasPrefix("/api/v1/files/\(first)?"))
        #expect(try await fixture.server.get(url).bytes == FileFixture.picture(width: 640, height: 480))
        let second = try await fixture.file(FileFixture.pixel, thumbnailOf: id)
        #expect(try await fixture.info(id).json["thumbnailUrl"]?.string?.contains(second) == true)
        #expect(try await fixture.download(first).code == "file_not_found")
        #expect(try await fixture.delete(id).status == 204)
        #expect(try await fixture.download(second).code == "file_not_found")
    }

    @Test(arguments: [("picture.jpg", "image/jpeg"), ("lossy.webp", "image/webp")])
    func `a thumbnail may be a JPEG or a WebP`(name: String, type: String) async throws {
        let fixture = try await FileFixture(try await SharedStack.running())
        let id = try await fixture.file()
        let thumbnail = try Fuzzer.input("files", name)
        _ = try await fixture.file(thumbnail, thumbnailOf: id)
        let url = try #require(try await fixture.info(id).json["thumbnailUrl"]?.string)
        let served = try await fixture.server.get(url)
        #expect(served.bytes == thumbnail && served.header("Content-Type") == type)
    }

    @Test func `what is no small picture is no thumbnail`() async throws {
        let fixture = try await FileFixture(try await SharedStack.running())
        let id = try await fixture.file()
        for bytes in [
            FileFixture.text, FileFixture.picture(width: 641, height: 1), FileFixture.picture(width: 1, height: 641),
            Array("GIF89a\u{1}\0\u{1}\0\0\0\0;".utf8), FileFixture.picture(width: 1 << 31, height: 1),
        ] {
            let refused = try await fixture.upload(bytes, thumbnailOf: id)
            #expect(refused.status == 422 && refused.fields == ["thumbnailOf"], "\(refused)")
        }
        let large = FileFixture.pixel + [UInt8](repeating: 0, count: 512 * 1_024)
        #expect(try await fixture.upload(large, thumbnailOf: id).code == "file_too_large")
        #expect(try await fixture.info(id).json["thumbnailUrl"] == nil)
    }

    @Test func `a thumbnail is of a file of the same room and uploader, and not of a thumbnail`() async throws {
        let fixture = try await FileFixture(try await SharedStack.running())
        let elsewhere = try await fixture.stack.room(of: fixture.owner)
        let own = try await fixture.file()
        let thumbnail = try await fixture.file(FileFixture.pixel, thumbnailOf: own)
        for original in [
            try await fixture.file(as: fixture.member), try await fixture.file(in: elsewhere), thumbnail, "none",
        ] {
            let refused = try await fixture.upload(FileFixture.pixel, thumbnailOf: original)
            #expect(refused.status == 422 && refused.fields == ["thumbnailOf"], "\(original)")
        }
    }
}
