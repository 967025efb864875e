/// A file that is to be sent.
///
/// Its bytes are sent as they are: a picture is sent with the place and the time that a camera wrote into it.
public struct OutgoingFile: Sendable {
    /// Where the bytes are.
    enum Source: Sendable {
        case bytes([UInt8])
        case path(String)
    }

    /// What the server takes for a type that nobody knows.
    private static let unknownType = "application/octet-stream"

    let source: Source
    /// What it is called in the room: a label of at most 255 characters, no path.
    public var name: String
    /// The media type. The server looks at the bytes, so this matters for office documents alone.
    public var contentType: String
    /// A small picture of it: PNG, JPEG or WebP of at most 512 KiB and 640 pixels a side. The library makes none.
    public var thumbnail: [UInt8]?

    /// Creates a file of bytes that are in memory.
    public init(bytes: [UInt8], name: String, contentType: String? = nil, thumbnail: [UInt8]? = nil) {
        source = .bytes(bytes)
        self.name = name
        self.contentType = contentType ?? Self.unknownType
        self.thumbnail = thumbnail
    }

    /// Creates a file of the disk. It is read while it is sent, piece by piece, and from its beginning where an upload is begun
    /// again, so it has to stay as it is until then.
    /// - Parameters:
    ///   - path: of Foundation's `URL` its `path`.
    ///   - name: `nil`: the last part of the path.
    public init(path: String, name: String? = nil, contentType: String? = nil, thumbnail: [UInt8]? = nil) {
        source = .path(path)
        self.name = name ?? path.split(separator: "/").last.map(String.init) ?? "file"
        self.contentType = contentType ?? Self.unknownType
        self.thumbnail = thumbnail
    }
}

/// How far an upload is.
public struct UploadProgress: Sendable, Hashable {
    /// Bytes that were handed to the network. Begins at 0 again where an upload is begun again.
    public let sent: Int64
    /// The size of the file, in bytes.
    public let total: Int64

    /// Creates a state of an upload.
    public init(sent: Int64, total: Int64) {
        self.sent = sent
        self.total = total
    }
}
