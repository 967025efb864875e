import NIOCore
import Testing

@testable import ChatLab

@Suite(.timeLimit(.minutes(1))) struct UploadContentTests {
    @Test(arguments: [64, 30_000, UploadContent.largest])
    func `a file has its size, and a hash that no other file has`(size: Int) {
        let content = UploadContent(mark: "m-1", size: size)
        #expect(content.bytes.readableBytes == size)
        #expect(content.sha256.count == 64)
        #expect(content.sha256 == UploadContent(mark: "m-1", size: size).sha256)
        #expect(content.sha256 != UploadContent(mark: "m-2", size: size).sha256)
    }

    @Test func `two pieces in another order have another hash`() throws {
        let content = UploadContent(mark: "m", size: 512 * 1024)
        var first = content.bytes
        let second = first.readSlice(length: 256 * 1024)
        var hash = FileHash()
        hash.update(first)
        hash.update(try #require(second))
        #expect(hash.size == 512 * 1024)
        #expect(hash.text != content.sha256)
    }

    @Test func `the hash is that of FIPS 180-4`() {
        #expect(
            FileHash.of(ByteBuffer(string: "abc"))
                == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    }
}
