/// The head of a PNG (ISO 15948): the chunk `IHDR`, and before the pixels perhaps `eXIf`.
struct PNGHead: PictureHead {
    private(set) var size: PictureSize?
    private var part = Part.header

    private enum Part { case header, chunk, exif }

    static let firstPiece = 33
    /// The longest EXIF that is looked at.
    private static let maximumEXIF = 65_535

    mutating func read(_ piece: [UInt8]) -> HeadStep {
        switch part {
        case .header:
            guard piece.integer(at: 8, size: 4) == 13, piece.has("IHDR", at: 12),
                let width = piece.integer(at: 16, size: 4), let height = piece.integer(at: 20, size: 4)
            else { return .done }
            size = PictureSize(width: width, height: height)
            part = .chunk
            return size == nil ? .done : .piece(8)
        case .chunk:
            // The bytes of a chunk are its length, its type, the content and a checksum.
            guard let length = piece.integer(at: 0, size: 4), !piece.has("IDAT", at: 4), !piece.has("IEND", at: 4)
            else {
                return .done
            }
            guard piece.has("eXIf", at: 4) else { return .piece(8, skipping: length + 4) }
            part = .exif
            return (1...Self.maximumEXIF).contains(length) ? .piece(length) : .done
        case .exif:
            size = size?.displayed(Orientation(tiff: piece[...]))
            return .done
        }
    }
}

/// The head of a GIF: the logical screen behind the signature.
struct GIFHead: PictureHead {
    private(set) var size: PictureSize?

    static let firstPiece = 10

    mutating func read(_ piece: [UInt8]) -> HeadStep {
        if let width = piece.integer(at: 6, size: 2, isLittleEndian: true),
            let height = piece.integer(at: 8, size: 2, isLittleEndian: true)
        {
            size = PictureSize(width: width, height: height)
        }
        return .done
    }
}

/// The head of a WebP (RFC 9649): the frame of a simple file, or the canvas of an extended one, whose EXIF stands at its
/// end.
struct WebPHead: PictureHead {
    private(set) var size: PictureSize?
    private var part = Part.chunk

    private enum Part {
        /// The head of the first chunk, with that of the file.
        case chunk
        /// The beginning of a lossy (`VP8 `), a lossless (`VP8L`) frame, or of the extended header (`VP8X`), whose length
        /// is known.
        case lossy
        case lossless
        case extended(length: Int)
        /// The head of a later chunk.
        case laterChunk
        case exif
    }

    static let firstPiece = 20
    private static let exifFlag = 0x08
    private static let maximumEXIF = 65_535

    mutating func read(_ piece: [UInt8]) -> HeadStep {
        switch part {
        case .chunk: return readChunk(piece)
        case .lossy:
            // Not a key frame: no picture begins with it.
            guard piece[0] & 1 == 0, piece[3...5] == [0x9D, 0x01, 0x2A] else { return .done }
            size = PictureSize(width: number(piece, at: 6, 2) & 0x3FFF, height: number(piece, at: 8, 2) & 0x3FFF)
            return .done
        case .lossless:
            guard piece[0] == 0x2F else { return .done }
            let bits = number(piece, at: 1, 4)
            size = PictureSize(width: bits & 0x3FFF + 1, height: bits >> 14 & 0x3FFF + 1)
            return .done
        case .extended(let length):
            size = PictureSize(width: number(piece, at: 4, 3) + 1, height: number(piece, at: 7, 3) + 1)
            guard size != nil, Int(piece[0]) & Self.exifFlag != 0, length >= 10 else { return .done }
            part = .laterChunk
            return .piece(8, skipping: padded(length) - 10)
        case .laterChunk:
            let length = number(piece, at: 4, 4)
            guard piece.has("EXIF", at: 0) else { return .piece(8, skipping: padded(length)) }
            part = .exif
            return (1...Self.maximumEXIF).contains(length) ? .piece(length) : .done
        case .exif:
            // Some writers put the mark of JPEG's segment before it.
            size = size?.displayed(Orientation(tiff: piece.dropFirst(JPEGHead.isEXIF(piece) ? JPEGHead.exifMark : 0)))
            return .done
        }
    }

    private mutating func readChunk(_ piece: [UInt8]) -> HeadStep {
        if piece.has("VP8X", at: 12) {
            part = .extended(length: number(piece, at: 16, 4))
            return .piece(10)
        }
        if piece.has("VP8L", at: 12) {
            part = .lossless
            return .piece(5)
        }
        part = .lossy
        return piece.has("VP8 ", at: 12) ? .piece(10) : .done
    }

    private func number(_ piece: [UInt8], at offset: Int, _ size: Int) -> Int {
        piece.integer(at: offset, size: size, isLittleEndian: true) ?? 0
    }

    private func padded(_ length: Int) -> Int { length + length & 1 }
}
