/// The size of a picture as it is displayed, in pixels.
struct PictureSize: Equatable, Sendable {
    /// The longest side that is reported, in pixels.
    static let maximumSide = 65_535

    let width: Int
    let height: Int

    /// - Returns: `nil` if a side is 0 or above ``maximumSide``.
    init?(width: Int, height: Int) {
        let sides = 1...Self.maximumSide
        guard sides.contains(width), sides.contains(height) else { return nil }
        self.width = width
        self.height = height
    }

    private init(turning size: PictureSize) {
        width = size.height
        height = size.width
    }

    /// The size with an orientation applied: half of them lie on their side.
    func displayed(_ orientation: Orientation) -> PictureSize {
        orientation.isOnItsSide ? PictureSize(turning: self) : self
    }
}

/// How a picture is to be turned and mirrored for display: the EXIF tag 0x0112 (CIPA DC-008, section 4.6.5.1).
struct Orientation: Equatable, Sendable {
    /// As it is stored.
    static let upright = Orientation(value: 1)

    private let value: Int

    /// Whether width and height change places.
    var isOnItsSide: Bool { value >= 5 }

    private init(value: Int) { self.value = value }

    /// Reads the orientation from a TIFF structure, the content of EXIF.
    /// - Returns: ``upright`` where it does not say, or is no TIFF.
    init(tiff: ArraySlice<UInt8>) { self = Self.read(tiff) ?? .upright }

    private static let tag = 0x0112
    private static let short = 3
    private static let entryBytes = 12

    /// Looks through the first directory alone: no offset is followed twice.
    private static func read(_ tiff: ArraySlice<UInt8>) -> Orientation? {
        let isLittleEndian: Bool
        if tiff.has("II", at: 0) {
            isLittleEndian = true
        } else if tiff.has("MM", at: 0) {
            isLittleEndian = false
        } else {
            return nil
        }
        func number(at offset: Int, _ size: Int) -> Int? {
            tiff.integer(at: offset, size: size, isLittleEndian: isLittleEndian)
        }
        guard number(at: 2, 2) == 42, let directory = number(at: 4, 4), let count = number(at: directory, 2) else {
            return nil
        }
        for entry in stride(from: directory + 2, to: directory + 2 + count * entryBytes, by: entryBytes) {
            guard let tag = number(at: entry, 2) else { return nil }
            guard tag == Self.tag else { continue }
            guard number(at: entry + 2, 2) == short, number(at: entry + 4, 4) == 1,
                let value = number(at: entry + 8, 2),
                (1...8).contains(value)
            else { return nil }
            return Orientation(value: value)
        }
        return nil
    }
}
