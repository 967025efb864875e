/// The head of a JPEG (ISO 10918-1): segments up to the frame header, among them EXIF.
struct JPEGHead: PictureHead {
    private(set) var size: PictureSize?
    private var part = Part.marker
    private var orientation: Orientation?

    private enum Part {
        /// `FF` and the marker's code.
        case marker
        /// The code, after any number of fill bytes.
        case filledMarker
        /// The length of a segment.
        case length(code: UInt8)
        case frame
        case exif
    }

    /// The start of image, behind which the first marker stands.
    static let firstPiece = 2
    private static let startOfImage: UInt8 = 0xD8
    private static let frameBytes = 5

    /// The bytes before the TIFF structure.
    static let exifMark = 6

    /// Whether the content of a segment is EXIF.
    static func isEXIF(_ content: [UInt8]) -> Bool { content.has("Exif\0\0", at: 0) }

    mutating func read(_ piece: [UInt8]) -> HeadStep {
        switch part {
        case .marker:
            guard piece[0] == 0xFF else { return .done }
            return readCode(piece[1])
        case .filledMarker: return readCode(piece[0])
        case .length(let code): return readLength(piece.integer(at: 0, size: 2) ?? 0, of: code)
        case .exif:
            if Self.isEXIF(piece) { orientation = Orientation(tiff: piece.dropFirst(Self.exifMark)) }
            return next()
        case .frame:
            // Precision, height, width. A height of 0 follows the first scan, which is not looked at.
            if let height = piece.integer(at: 1, size: 2), let width = piece.integer(at: 3, size: 2) {
                size = PictureSize(width: width, height: height)?.displayed(orientation ?? .upright)
            }
            return .done
        }
    }

    private mutating func readCode(_ code: UInt8) -> HeadStep {
        switch code {
        case 0xFF:
            part = .filledMarker
            return .piece(1)
        // Markers that stand alone.
        case 0x01, 0xD0...0xD7, Self.startOfImage: return next()
        // End of image, start of scan, and what is no marker.
        case 0x00, 0xD9, 0xDA: return .done
        default:
            part = .length(code: code)
            return .piece(2)
        }
    }

    private mutating func readLength(_ length: Int, of code: UInt8) -> HeadStep {
        // It counts itself.
        let content = length - 2
        guard content >= 0 else { return .done }
        switch code {
        // Frame headers of all kinds; the three others are tables and an extension.
        case 0xC0...0xCF where ![0xC4, 0xC8, 0xCC].contains(code):
            part = .frame
            return content >= Self.frameBytes ? .piece(Self.frameBytes) : .done
        case 0xE1 where orientation == nil && content > Self.exifMark:
            part = .exif
            return .piece(content)
        default: return next(skipping: content)
        }
    }

    private mutating func next(skipping: Int = 0) -> HeadStep {
        part = .marker
        return .piece(2, skipping: skipping)
    }
}
