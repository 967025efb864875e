/// What the bytes of a file say about it.
struct FileFormat: Equatable, Sendable {
    let type: MediaType
    /// The size of a picture as it is displayed; `nil` if the type has none, or its head does not say.
    let size: PictureSize?

    /// The type to serve it as.
    var mimeType: String { type.rawValue }
    /// In pixels, at most ``PictureSize/maximumSide``.
    var width: Int? { size?.width }
    /// In pixels, at most ``PictureSize/maximumSide``.
    var height: Int? { size?.height }
    /// Whether a browser may show it where it is.
    var isInline: Bool { type.isInline }
}

/// Finds out the type of a file, and the size of a picture, while its bytes pass by: by the bytes alone, never by the name.
///
/// Nothing is decoded or unpacked. It keeps ``headBytes`` and at most one segment of a picture's head (64 KiB), however
/// large the file is.
struct FileInspector: Sendable {
    /// By so many bytes the type is known, except for text, where all count.
    static let headBytes = 8 * 1_024

    /// The type of an office document, if the sender said so.
    private let office: MediaType?
    private var head: [UInt8] = []
    /// `nil` while the head is not complete.
    private var finding: Finding?
    private var picture: PictureScanner?
    private var text = TextCheck()

    private enum Finding {
        case known(MediaType)
        /// No signature is known: it is text, or just bytes.
        case perhapsText
    }

    /// - Parameter declaredType: the value of `Content-Type`. It distinguishes the office types, which are all ZIP archives,
    ///   and counts for nothing else.
    init(declaredType: String? = nil) { office = declaredType.flatMap(MediaType.office) }

    /// Takes the next bytes of the file.
    mutating func append(_ bytes: UnsafeRawBufferPointer) {
        var rest = bytes[...]
        if finding == nil {
            let missing = Self.headBytes - head.count
            head.append(contentsOf: rest.prefix(missing))
            rest = rest.dropFirst(missing)
            guard head.count == Self.headBytes else { return }
            readHead(isWhole: false)
        }
        read(UnsafeRawBufferPointer(rebasing: rest))
    }

    /// What the file is, if it ends here.
    func finish() -> FileFormat {
        var whole = self
        if whole.finding == nil { whole.readHead(isWhole: true) }
        return switch whole.finding {
        case .known(let type): FileFormat(type: type, size: whole.picture?.size)
        case .perhapsText: FileFormat(type: whole.text.isText ? .plainText : .octetStream, size: nil)
        case nil: FileFormat(type: .octetStream, size: nil)
        }
    }

    private mutating func readHead(isWhole: Bool) {
        if let type = Signatures.type(of: head, isWhole: isWhole) {
            finding = .known(type == .zip ? office ?? type : type)
            picture = PictureScanner(of: type)
        } else {
            finding = .perhapsText
        }
        head.withUnsafeBytes { read($0) }
        head = []
    }

    private mutating func read(_ bytes: UnsafeRawBufferPointer) {
        switch finding {
        case .known: picture?.append(bytes)
        case .perhapsText: text.append(bytes)
        case nil: break
        }
    }
}
