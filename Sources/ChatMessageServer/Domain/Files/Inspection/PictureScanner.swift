/// Reads the head of a picture of one format, piece by piece. It decides, without I/O, which bytes it needs next.
protocol PictureHead: Sendable {
    /// The size, as far as it is known.
    var size: PictureSize? { get }

    /// The bytes from the beginning that it needs first.
    static var firstPiece: Int { get }

    /// Reads a piece.
    /// - Parameter piece: exactly as many bytes as it asked for.
    mutating func read(_ piece: [UInt8]) -> HeadStep
}

/// What follows a piece of a picture's head.
enum HeadStep: Equatable {
    /// The next piece has `count` bytes, at least one, after `skipped` others.
    case piece(_ count: Int, skipping: Int = 0)
    /// There is nothing left to know.
    case done
}

/// Finds the size of a picture in its bytes as they pass by, cut anywhere.
struct PictureScanner: Sendable {
    /// The longest piece that is kept: the longest segment of a JPEG.
    private static let maximumPiece = 65_536
    /// The number of parts of a head that are read, at most.
    private static let maximumPieces = 4_096

    private var head: any PictureHead
    private var piece: [UInt8] = []
    /// The length of the present piece; `nil` when it is done.
    private var count: Int?
    /// Bytes to skip before it.
    private var skipping = 0
    private var pieces = 0

    /// - Returns: `nil` for types whose size is not looked for.
    init?(of type: MediaType) {
        switch type {
        case .png: self.init(PNGHead())
        case .jpeg: self.init(JPEGHead())
        case .gif: self.init(GIFHead())
        case .webp: self.init(WebPHead())
        default: return nil
        }
    }

    private init<Head: PictureHead>(_ head: Head) {
        self.head = head
        count = Head.firstPiece
    }

    /// The size, if it is known from the bytes so far.
    var size: PictureSize? { head.size }

    /// Takes the next bytes of the file.
    mutating func append(_ bytes: UnsafeRawBufferPointer) {
        var rest = bytes[...]
        while let count, !rest.isEmpty {
            let skipped = min(skipping, rest.count)
            skipping -= skipped
            rest = rest.dropFirst(skipped)
            let part = rest.prefix(count - piece.count)
            piece.append(contentsOf: part)
            rest = rest[part.endIndex...]
            if piece.count == count { advance() }
        }
    }

    private mutating func advance() {
        let step = head.read(piece)
        piece.removeAll(keepingCapacity: true)
        pieces += 1
        switch step {
        case .piece(let next, let skipping) where pieces < Self.maximumPieces && (1...Self.maximumPiece).contains(next):
            count = next
            self.skipping = skipping
        case .piece, .done:
            count = nil
            piece = []
        }
    }
}
