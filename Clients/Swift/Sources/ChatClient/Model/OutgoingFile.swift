/// A file to send.
///
/// Its bytes are sent as they are: a picture is sent with the place and the time that a camera wrote into it.
public struct OutgoingFile: Sendable {
    /// The source of the bytes.
    enum Source: Sendable {
        case bytes([UInt8])
        case path(String)
    }

    /// The media type of a file whose type is unknown.
    private static let unknownType = "application/octet-stream"

    let source: Source
    /// The name in the room: a label of at most 255 characters, not a path.
    public var name: String
    /// The media type. The server inspects the bytes, so this matters for office documents only.
    public var contentType: String
    /// A thumbnail: PNG, JPEG or WebP of at most 512 KiB and 640 pixels a side. The library does not create one.
    public var thumbnail: [UInt8]?

    /// Creates a file from bytes in memory.
    public init(bytes: [UInt8], name: String, contentType: String? = nil, thumbnail: [UInt8]? = nil) {
        source = .bytes(bytes)
        self.name = name
        self.contentType = contentType ?? Self.unknownType
        self.thumbnail = thumbnail
    }

    /// Creates a file from a path. It is read piece by piece while it is sent, and from its beginning if the upload is
    /// repeated, so it must not change until then.
    /// - Parameters:
    ///   - path: the path of a regular file; for Foundation's `URL`, its `path`.
    ///   - name: `nil` means the last part of the path.
    public init(path: String, name: String? = nil, contentType: String? = nil, thumbnail: [UInt8]? = nil) {
        source = .path(path)
        self.name = name ?? path.split(separator: "/").last.map(String.init) ?? "file"
        self.contentType = contentType ?? Self.unknownType
        self.thumbnail = thumbnail
    }
}

/// The progress of an upload.
public struct UploadProgress: Sendable, Hashable {
    /// Bytes that were handed to the network. Begins at 0 again if the upload is repeated.
    public let sent: Int64
    /// The size of the file, in bytes.
    public let total: Int64

    /// Creates a state of an upload.
    public init(sent: Int64, total: Int64) {
        self.sent = sent
        self.total = total
    }
}
