import ChatTestSupport
import Testing

@testable import ChatMessageServer

@Suite(.timeLimit(.minutes(1))) struct PictureHeadTests {
    private func size(_ type: MediaType, _ bytes: [UInt8]) -> PictureSize? {
        var scanner = PictureScanner(of: type)
        scanner?.append(bytes)
        return scanner?.size
    }

    private func bytes(_ number: Int, _ size: Int) -> [UInt8] {
        (0..<size).reversed().map { UInt8(truncatingIfNeeded: number >> ($0 * 8)) }
    }

    // MARK: Bounds

    private func png(_ width: Int, _ height: Int) -> [UInt8] {
        [0x89] + Array("PNG\r\n".utf8) + [0x1A, 0x0A, 0, 0, 0, 13] + Array("IHDR".utf8) + bytes(width, 4)
            + bytes(height, 4) + [8, 2, 0, 0, 0] + [1, 2, 3, 4]
    }

    @Test func `a side of more than 65,535 pixels, or of none, leaves the size out`() {
        #expect(size(.png, png(65_535, 1)) == PictureSize(width: 65_535, height: 1))
        for (width, height) in [(65_536, 1), (1, 65_536), (0, 1), (1, 0), (1 << 31, 1 << 31), (0xFFFF_FFFF, 3)] {
            #expect(size(.png, png(width, height)) == nil)
        }
        #expect(size(.gif, Array("GIF89a".utf8) + [0, 0, 5, 0]) == nil)
        #expect(size(.webp, webP("VP8X", [0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0, 0, 0])) == nil)
    }

    @Test(arguments: ["picture.png", "picture.jpg", "picture.gif", "lossy.webp", "lossless.webp"])
    func `a picture that ends within its head has no size or the right one`(name: String) throws {
        let picture = try Fuzzer.input("files", name)
        let type = try #require(Signatures.type(of: picture, isWhole: true))
        for count in 0..<picture.count {
            let size = size(type, Array(picture.prefix(count)))
            #expect(size == nil || size == PictureSize(width: 4, height: 3))
        }
    }

    // MARK: JPEG

    private func segment(_ code: UInt8, _ content: [UInt8]) -> [UInt8] {
        [0xFF, code] + bytes(content.count + 2, 2) + content
    }

    private func jpeg(_ segments: [UInt8]...) -> [UInt8] { [0xFF, 0xD8] + segments.flatMap { $0 } }

    private func frame(_ width: Int, _ height: Int) -> [UInt8] {
        segment(0xC0, [8] + bytes(height, 2) + bytes(width, 2) + [3])
    }

    /// A TIFF structure with one directory.
    private func tiff(_ entries: [(tag: Int, type: Int, count: Int, value: Int)], at offset: Int = 8) -> [UInt8] {
        let content: [[UInt8]] = entries.map {
            [bytes($0.tag, 2), bytes($0.type, 2), bytes($0.count, 4), bytes($0.value, 2), [0, 0]].flatMap(\.self)
        }
        let head: [[UInt8]] = [Array("MM".utf8), bytes(42, 2), bytes(offset, 4), bytes(entries.count, 2)]
        return (head + content).flatMap(\.self)
    }

    private func exif(_ tiff: [UInt8]) -> [UInt8] { segment(0xE1, Array("Exif\0\0".utf8) + tiff) }

    @Test func `orientations 5 to 8 lie on their side`() {
        for value in 1...8 {
            let size = size(.jpeg, jpeg(exif(tiff([(0x0112, 3, 1, value)])), frame(40, 30)))
            #expect(size == (value < 5 ? PictureSize(width: 40, height: 30) : PictureSize(width: 30, height: 40)))
        }
    }

    @Test func `EXIF that says nothing of use turns nothing`() {
        let contents: [[UInt8]] = [
            [], Array("MM".utf8), Array("II".utf8) + [42, 0, 0xFF, 0xFF, 0xFF, 0xFF], tiff([], at: 0),
            tiff([(0x0112, 3, 1, 6)], at: 0xFFFF_FFFF), tiff([(0x0112, 3, 1, 6)], at: 9), tiff([(0x0112, 3, 1, 9)]),
            tiff([(0x0112, 3, 1, 0)]), tiff([(0x0112, 4, 1, 6)]), tiff([(0x0112, 3, 2, 6)]),
            Array(tiff([(0x0112, 3, 1, 6)]).dropLast(4)), Array("XX".utf8) + tiff([(0x0112, 3, 1, 6)]).dropFirst(2),
            // More entries than there are.
            Array("MM".utf8) + bytes(42, 2) + bytes(8, 4) + [0xFF, 0xFF],
        ]
        for content in contents {
            #expect(size(.jpeg, jpeg(exif(content), frame(40, 30))) == PictureSize(width: 40, height: 30))
        }
    }

    @Test func `of several EXIF segments the first counts, and other segments of its kind do not`() {
        let turned = exif(tiff([(0x0112, 3, 1, 6)]))
        let upright = exif(tiff([(0x0112, 3, 1, 1)]))
        let xmp = segment(0xE1, Array("http://ns.adobe.com/xap/1.0/\0".utf8))
        #expect(size(.jpeg, jpeg(xmp, turned, upright, frame(40, 30))) == PictureSize(width: 30, height: 40))
        #expect(size(.jpeg, jpeg(upright, turned, frame(40, 30))) == PictureSize(width: 40, height: 30))
    }

    @Test func `fill bytes and markers that stand alone are passed over`() {
        let size = size(.jpeg, jpeg([0xFF, 0xFF, 0xFF, 0x01, 0xFF, 0xD0], segment(0xC4, [1, 2]), frame(40, 30)))
        #expect(size == PictureSize(width: 40, height: 30))
    }

    @Test func `a JPEG that is none has no size`() {
        // Lengths that do not count themselves; no marker; the scan before the frame; a frame cut short; a height of 0.
        for segments: [UInt8] in [
            [0xFF, 0xE0, 0, 0], [0xFF, 0xE0, 0, 1], [0, 0], [0xFF, 0], segment(0xDA, [1]), segment(0xC0, [8, 0, 1]),
            frame(40, 0),
        ] {
            #expect(size(.jpeg, jpeg(segments, frame(40, 30))) == nil)
        }
    }

    @Test func `a head of endless parts is given up`() {
        var scanner = PictureScanner(of: .jpeg)
        scanner?.append([0xFF, 0xD8] + [UInt8](repeating: 0xFF, count: 5_000))
        scanner?.append([0x01] + frame(40, 30))
        #expect(scanner?.size == nil)
    }

    // MARK: PNG and WebP

    private func chunk(_ type: String, _ content: [UInt8]) -> [UInt8] {
        bytes(content.count, 4) + Array(type.utf8) + content + [0, 0, 0, 0]
    }

    @Test func `EXIF counts before the pixels of a PNG`() {
        let turned = chunk("eXIf", tiff([(0x0112, 3, 1, 8)]))
        #expect(size(.png, png(4, 3) + chunk("tEXt", [1]) + turned) == PictureSize(width: 3, height: 4))
        #expect(size(.png, png(4, 3) + chunk("IDAT", [1]) + turned) == PictureSize(width: 4, height: 3))
        #expect(size(.png, png(4, 3) + chunk("eXIf", []) + turned) == PictureSize(width: 4, height: 3))
        #expect(size(.png, png(4, 3) + bytes(1 << 31, 4) + Array("eXIf".utf8)) == PictureSize(width: 4, height: 3))
    }

    private func webP(_ type: String, _ content: [UInt8]) -> [UInt8] {
        Array("RIFF\0\0\0\0WEBP".utf8) + Array(type.utf8) + bytes(content.count, 4).reversed() + content
    }

    @Test func `the EXIF of a WebP may begin like that of a JPEG`() {
        let canvas = webP("VP8X", [8, 0, 0, 0, 3, 0, 0, 2, 0, 0])
        let content = Array("Exif\0\0".utf8) + tiff([(0x0112, 3, 1, 5)])
        // A chunk of odd length has a byte more.
        let frame = Array("VP8 ".utf8) + [3, 0, 0, 0, 1, 2, 3, 0]
        let exif = Array("EXIF".utf8) + bytes(content.count, 4).reversed() + content
        #expect(size(.webp, canvas + frame + exif) == PictureSize(width: 3, height: 4))
    }

    @Test func `a WebP whose frame is none has no size`() {
        #expect(size(.webp, webP("VP8 ", [1, 0, 0, 0x9D, 0x01, 0x2A, 4, 0, 3, 0])) == nil)
        #expect(size(.webp, webP("VP8 ", [0, 0, 0, 1, 2, 3, 4, 0, 3, 0])) == nil)
        #expect(size(.webp, webP("VP8L", [0x2E, 3, 0x80, 0, 0])) == nil)
        #expect(size(.webp, webP("ABCD", [UInt8](repeating: 0, count: 20))) == nil)
    }
}

extension PictureScanner {
    fileprivate mutating func append(_ bytes: [UInt8]) { bytes.withUnsafeBytes { append($0) } }
}
