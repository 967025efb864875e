/// A file of a room, as the server has it.
public struct StoredFile: Hashable, Sendable {
    /// All members as the server sent them. The addresses in it are paths of the message server.
    public let json: JSONObject
    /// The id, by which messages name it.
    public let fileID: String
    private let server: ServerAddress

    /// - Parameter server: the message server, which the addresses belong to.
    /// - Returns: `nil` if it has no `fileId`.
    init?(json: JSONObject, server: ServerAddress) {
        guard let fileID = json["fileId"]?.string else { return nil }
        self.json = json
        self.fileID = fileID
        self.server = server
    }

    /// The room's id.
    public var roomID: String { json["roomId"]?.string ?? "" }
    /// The name of the file.
    public var name: String { json["name"]?.string ?? "" }
    /// The media type that the server has determined.
    public var mimeType: String { json["mimeType"]?.string ?? "" }
    /// The size in bytes.
    public var fileSize: Int64 { json["fileSize"]?.integer ?? 0 }
    /// The SHA-256 of the bytes, in hexadecimal digits.
    public var sha256: String { json["sha256"]?.string ?? "" }
    /// The width of a picture as it is shown, in pixels.
    public var width: Int64? { json["width"]?.integer }
    /// The height of a picture as it is shown, in pixels.
    public var height: Int64? { json["height"]?.integer }
    /// When it was uploaded, RFC 3339.
    public var createdAt: String { json["createdAt"]?.string ?? "" }
    /// The address of the bytes, which needs no token and is valid for 60 to 90 minutes. Ranges can be requested.
    public var url: String? { absolute("url") }
    /// The address of the thumbnail, of the same kind; `nil` if there is none.
    public var thumbnailURL: String? { absolute("thumbnailUrl") }

    private func absolute(_ name: String) -> String? {
        guard let text = json[name]?.string else { return nil }
        return text.hasPrefix("/") ? "\(server)\(text)" : text
    }
}

/// The description of an uploaded file in the message that names it. ``ChatClient/files(_:)`` returns an address of the
/// file.
public struct MessageFile: Hashable, Sendable {
    /// The id of the file.
    public let fileID: String
    /// The name of the file.
    public let name: String?
    /// The media type.
    public let mimeType: String?
    /// The size in bytes.
    public let fileSize: Int64?
    /// The width of a picture as it is shown, in pixels.
    public let width: Int64?
    /// The height of a picture as it is shown, in pixels.
    public let height: Int64?
    /// The text that the sender wrote about it.
    public let caption: String?

    /// - Returns: `nil` if the payload names no uploaded file.
    init?(payload: JSONValue?) {
        guard let fileID = payload?["fileId"]?.string else { return nil }
        self.fileID = fileID
        name = payload?["fileName"]?.string
        mimeType = payload?["mimeType"]?.string
        fileSize = payload?["fileSize"]?.integer
        width = payload?["width"]?.integer
        height = payload?["height"]?.integer
        caption = payload?["caption"]?.string
    }
}
