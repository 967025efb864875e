/// The types by a file's first bytes: the signatures of each format's specification and of the MIME Sniffing
/// Standard.
enum Signatures {
    /// The type of a file.
    /// - Parameters:
    ///   - head: its first bytes, at most ``FileInspector/headBytes``.
    ///   - isWhole: whether the file has no more than these.
    /// - Returns: `nil` if no signature is known.
    static func type(of head: [UInt8], isWhole: Bool) -> MediaType? {
        for (signature, type) in simple where head.starts(with: signature) { return type }
        if head.starts(with: riff) { return riffType(head) }
        if head.starts(with: ogg) { return hasTheora(head) ? .oggVideo : .oggAudio }
        if head.starts(with: ebml) { return isWebM(head) ? .webm : nil }
        if head.has("ftyp", at: 4) { return FileTypeBrands(head).type }
        if hasID3(head) || MP3Frame.begins(head, isWhole: isWhole) { return .mp3 }
        return nil
    }

    private static let simple: [([UInt8], MediaType)] = [
        ([0x89] + Array("PNG\r\n".utf8) + [0x1A, 0x0A], .png),
        ([0xFF, 0xD8, 0xFF], .jpeg),
        (Array("GIF87a".utf8), .gif),
        (Array("GIF89a".utf8), .gif),
        (Array("fLaC".utf8), .flac),
        (Array("%PDF-".utf8), .pdf),
        // With entries, and an archive of none.
        (Array("PK".utf8) + [3, 4], .zip),
        (Array("PK".utf8) + [5, 6], .zip),
        // RFC 1952: the only method is 8.
        ([0x1F, 0x8B, 8], .gzip),
    ]

    // MARK: RIFF

    private static let riff = Array("RIFF".utf8)

    private static func riffType(_ head: [UInt8]) -> MediaType? {
        if head.has("WEBP", at: 8) { return .webp }
        return head.has("WAVE", at: 8) ? .wav : nil
    }

    // MARK: Ogg (RFC 3533)

    /// The pattern of a page and the version, which is 0.
    private static let ogg = Array("OggS".utf8) + [0]

    /// Whether one of the streams that begin the file is Theora. Each begins with a page of its own, marked so.
    private static func hasTheora(_ head: [UInt8]) -> Bool {
        var page = 0
        while head[min(page, head.count)...].starts(with: ogg), let flags = head.integer(at: page + 5, size: 1),
            flags & 2 != 0, let segments = head.integer(at: page + 26, size: 1)
        {
            let payload = page + 27 + segments
            guard payload <= head.count else { return false }
            if head.has("theora", at: payload + 1), head[payload] == 0x80 { return true }
            page = payload + head[(page + 27)..<payload].reduce(0) { $0 + Int($1) }
        }
        return false
    }

    // MARK: WebM (RFC 8794)

    private static let ebml: [UInt8] = [0x1A, 0x45, 0xDF, 0xA3]
    /// The document type stands in the header, among a handful of numbers.
    private static let ebmlHeaderBytes = 128

    /// Whether the document type is `webm`; that of Matroska, which browsers do not play, is `matroska`.
    private static func isWebM(_ head: [UInt8]) -> Bool {
        let header = head.prefix(ebmlHeaderBytes)
        return header.indices.dropLast().contains { index in
            guard header[index] == 0x42, header[index + 1] == 0x82, let length = head.integer(at: index + 2, size: 1)
            else { return false }
            // The number of leading zero bits is the number of further bytes of the length.
            return head.has("webm", at: index + 3 + UInt8(length).leadingZeroBitCount)
        }
    }

    // MARK: ID3

    /// Whether it begins with a tag of ID3v2.2 to 2.4, whose size has seven bits a byte.
    private static func hasID3(_ head: [UInt8]) -> Bool {
        guard head.count >= 10, head.has("ID3", at: 0) else { return false }
        return (2...4).contains(head[3]) && head[4] < 0xFF && head[6..<10].allSatisfy { $0 < 0x80 }
    }
}

/// The header of a frame of MPEG audio, layer III (ISO 11172-3 and 13818-3, with the lower rates called 2.5).
private struct MP3Frame: Equatable {
    /// In bytes, with the header.
    let length: Int
    /// What all frames of a file have in common.
    let stream: [UInt8]

    private static let bitrates1 = [32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320]
    private static let bitrates2 = [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160]
    private static let sampleRates = [44_100, 48_000, 32_000]

    init?(_ head: [UInt8], at offset: Int) {
        guard let header = head.integer(at: offset, size: 4), header >> 21 == 0x7FF else { return nil }
        let version = header >> 19 & 3
        let bitrate = header >> 12 & 15
        let sampleRate = header >> 10 & 3
        // Version 1 and rate 3 are reserved; bitrate 0 is of no fixed length, 15 is forbidden.
        guard version != 1, header >> 17 & 3 == 1, (1...14).contains(bitrate), sampleRate < 3 else { return nil }
        let kilobits = (version == 3 ? Self.bitrates1 : Self.bitrates2)[bitrate - 1]
        let hertz = Self.sampleRates[sampleRate] / (version == 3 ? 1 : version == 2 ? 2 : 4)
        length = (version == 3 ? 144_000 : 72_000) * kilobits / hertz + (header >> 9 & 1)
        stream = [UInt8(version), UInt8(sampleRate)]
    }

    /// Whether a file begins with a frame that another one follows: eleven bits alone are found anywhere.
    static func begins(_ head: [UInt8], isWhole: Bool) -> Bool {
        guard let first = MP3Frame(head, at: 0) else { return false }
        if isWhole, head.count <= first.length { return true }
        return MP3Frame(head, at: first.length)?.stream == first.stream
    }
}

/// The brands of a file of the ISO base media format (ISO 14496-12): MP4 and its relatives, in a box at its beginning.
private struct FileTypeBrands {
    /// Whose rules the file follows first of all.
    private let major: String
    private let compatible: Set<String>

    private static let movies: Set<String> = [
        "avc1", "dash", "iso2", "iso3", "iso4", "iso5", "iso6", "iso7", "iso8", "iso9", "isom", "M4V ", "mmp4", "mp41",
        "mp42", "mp71", "MSNV",
    ]
    private static let sounds: Set<String> = ["M4A ", "M4B ", "M4P "]
    private static let pictures: Set<String> = ["avif", "avis"]
    /// Pictures of other codecs, which name brands of movies beside their own.
    private static let otherPictures: Set<String> = [
        "crx ", "heic", "heim", "heis", "heix", "hevc", "hevm", "hevs", "hevx", "jp2 ", "jpx ", "mif1", "mif2", "msf1",
    ]

    init(_ head: [UInt8]) {
        major = Self.brand(head, at: 8) ?? ""
        // The version of the major brand is between.
        let end = min(head.integer(at: 0, size: 4) ?? 0, head.count)
        compatible = Set(stride(from: 16, to: end, by: 4).compactMap { Self.brand(head, at: $0) })
    }

    var type: MediaType? {
        if Self.pictures.contains(major) { return .avif }
        if Self.otherPictures.contains(major) { return compatible.isDisjoint(with: Self.pictures) ? nil : .avif }
        if major == "qt  " { return .quickTime }
        if Self.sounds.contains(major) { return .m4a }
        if Self.movies.contains(major) { return .mp4 }
        guard compatible.isDisjoint(with: Self.otherPictures) else { return nil }
        return compatible.isDisjoint(with: Self.movies) ? nil : .mp4
    }

    private static func brand(_ head: [UInt8], at offset: Int) -> String? {
        guard offset + 4 <= head.count else { return nil }
        return String(decoding: head[offset..<(offset + 4)], as: UTF8.self)
    }
}
