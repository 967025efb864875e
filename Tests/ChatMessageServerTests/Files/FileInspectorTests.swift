import ChatTestSupport
import NIOCore
import Testing

@testable import ChatMessageServer

@Suite(.timeLimit(.minutes(1))) struct FileInspectorTests {
    private func format(_ bytes: [UInt8], declared: String? = nil) -> FileFormat {
        var inspector = FileInspector(declaredType: declared)
        inspector.append(bytes)
        return inspector.finish()
    }

    /// Of files that other programs have made.
    @Test(arguments: [
        ("picture.png", "image/png"), ("picture.jpg", "image/jpeg"), ("progressive.jpg", "image/jpeg"),
        ("picture.gif", "image/gif"), ("lossy.webp", "image/webp"), ("lossless.webp", "image/webp"),
        ("animated.webp", "image/webp"),
    ])
    func `a picture has its type and its size`(name: String, type: String) throws {
        let format = format(try Fuzzer.input("files", name))
        #expect(format.mimeType == type)
        #expect(format.width == 4)
        #expect(format.height == 3)
        #expect(format.isInline)
    }

    @Test(arguments: ["turned.png", "turned.jpg", "turned.webp"])
    func `a picture on its side has the size that is displayed`(name: String) throws {
        let format = format(try Fuzzer.input("files", name))
        #expect(format.width == 3)
        #expect(format.height == 4)
    }

    @Test(arguments: [
        ("picture.avif", "image/avif", true), ("movie.mp4", "video/mp4", true), ("song.m4a", "audio/mp4", true),
        ("movie.mov", "video/quicktime", true), ("movie.webm", "video/webm", true), ("song.mp3", "audio/mpeg", true),
        ("tagged.mp3", "audio/mpeg", true), ("song.ogg", "audio/ogg", true), ("movie.ogv", "video/ogg", true),
        ("sound.wav", "audio/wav", true), ("sound.flac", "audio/flac", true),
        ("document.pdf", "application/pdf", false),
        ("archive.zip", "application/zip", false), ("text.gz", "application/gzip", false),
        ("text", "text/plain", false), ("page.html", "application/octet-stream", false),
        ("picture.svg", "application/octet-stream", false),
    ])
    func `a file has the type of its bytes, and no size`(name: String, type: String, isInline: Bool) throws {
        let format = format(try Fuzzer.input("files", name))
        #expect(format.mimeType == type)
        #expect(format.isInline == isInline)
        #expect(format.size == nil)
    }

    // MARK: What the sender says

    private static let docx = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"

    @Test func `an office document is a ZIP archive that is said to be one`() throws {
        let archive = try Fuzzer.input("files", "archive.zip")
        #expect(format(archive, declared: Self.docx).mimeType == Self.docx)
        #expect(format(archive, declared: "\(Self.docx.uppercased()) ; charset=x").mimeType == Self.docx)
        #expect(!format(archive, declared: Self.docx).isInline)
    }

    @Test(arguments: [
        docx, "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "application/vnd.openxmlformats-officedocument.presentationml.presentation",
        "application/vnd.oasis.opendocument.text", "application/vnd.oasis.opendocument.spreadsheet",
        "application/vnd.oasis.opendocument.presentation",
    ])
    func `all office types are attachments of their own type`(type: String) throws {
        let document = format(try Fuzzer.input("files", "archive.zip"), declared: type)
        #expect(document.mimeType == type && !document.isInline)
    }

    @Test func `nothing else is believed`() throws {
        let archive = try Fuzzer.input("files", "archive.zip")
        for declared in ["image/png", "text/html", "application/java-archive", "", ";", "a/b; c=\(Self.docx)"] {
            #expect(format(archive, declared: declared).mimeType == "application/zip")
        }
        #expect(format(try Fuzzer.input("files", "picture.png"), declared: Self.docx).mimeType == "image/png")
        #expect(format(Array("text".utf8), declared: Self.docx).mimeType == "text/plain")
        #expect(format([0, 1, 2], declared: "image/png").mimeType == "application/octet-stream")
    }

    // MARK: Signatures

    @Test(
        arguments: [
            [], [0x89], Array("GIF8".utf8) + [0], Array("RIFF\0\0\0\0AVI LIST".utf8), Array("PK\u{1}\u{2}".utf8),
            // HEIF, Matroska, an unknown brand, a box without brands.
            Array("\0\0\0\u{18}ftypheic\0\0\0\0mif1heic".utf8), Array("\0\0\0\u{18}ftyphevc\0\0\0\0isommsf1".utf8),
            [0x1A, 0x45, 0xDF, 0xA3, 0x8B, 0x42, 0x82, 0x88] + Array("matroska".utf8),
            Array("\0\0\0\u{14}ftypabcd\0\0\0\0efgh".utf8), Array("\0\0\0\u{8}ftyp".utf8),
            // One frame of layer III without a second one; layer I; UTF-16; a tag of no version.
            [0xFF, 0xFB, 0x90, 0x64] + [UInt8](repeating: 0, count: 1_000), [0xFF, 0xFF, 0x90, 0x64],
            [0xFF, 0xFE, 0x61, 0],
            Array("ID3\u{9}\0\0\0\0\0\0".utf8),
        ] as [[UInt8]])
    func `bytes of no known format are just bytes`(bytes: [UInt8]) {
        let type = format(bytes).mimeType
        #expect(type == (bytes.isEmpty ? "text/plain" : "application/octet-stream"))
    }

    @Test func `brands beside the first one count where that is unknown`() {
        #expect(format(Array("\0\0\0\u{18}ftyp3gp5\0\0\0\0isom3gp5".utf8)).type == .mp4)
        #expect(format(Array("\0\0\0\u{18}ftypmif1\0\0\0\0mif1avif".utf8)).type == .avif)
        // What is behind the box is no brand.
        #expect(format(Array("\0\0\0\u{14}ftypabcd\0\0\0\0efghisom".utf8)).type == .octetStream)
    }

    @Test func `a text that names a format is text`() {
        #expect(format(Array("ID3 is a tag, RIFF a container, OggS another".utf8)).type == .plainText)
        #expect(format(Array("OggS".utf8)).type == .plainText)
    }

    @Test func `a script behind a picture's signature is served as that picture`() throws {
        let format = format(try Fuzzer.input("files", "polyglot.gif"))
        #expect(format.mimeType == "image/gif")
        #expect(format.isInline)
    }

    // MARK: As a stream

    @Test func `text is checked to its last byte`() {
        var inspector = FileInspector()
        for _ in 0..<40 { inspector.append([UInt8](repeating: 0x61, count: 1_000)) }
        #expect(inspector.finish().type == .plainText)
        inspector.append([0])
        #expect(inspector.finish().type == .octetStream)
    }

    @Test func `a head in single bytes is the same head`() throws {
        var inspector = FileInspector()
        for byte in try Fuzzer.input("files", "turned.jpg") { inspector.append(CollectionOfOne(byte)) }
        #expect(inspector.finish().width == 3)
    }

    @Test func `the size of a picture can stand far behind its beginning`() throws {
        let picture = try Fuzzer.input("files", "turned.jpg")
        // Twenty segments of a colour profile behind the start of image.
        let profile = [0xFF, 0xE2, 0xFF, 0xFF] + [UInt8](repeating: 0xFF, count: 65_533)
        var inspector = FileInspector()
        inspector.append(picture.prefix(2))
        for _ in 0..<20 { inspector.append(profile) }
        inspector.append(picture.dropFirst(2))
        #expect(inspector.finish() == FileFormat(type: .jpeg, size: PictureSize(width: 3, height: 4)))
    }
}

extension FileInspector {
    mutating func append(_ bytes: some Collection<UInt8>) { Array(bytes).withUnsafeBytes { append($0) } }
}
