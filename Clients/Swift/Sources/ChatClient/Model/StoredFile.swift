/// A file of a room, as the server has it.
public struct StoredFile: Hashable, Sendable {
    /// All members as the server sent them. The addresses in it are paths of the message server.
    public let json: JSONObject
    /// The id, by which messages name it.
    public let fileID: String
    private let server: ServerAddress

    /// - Parameter server: the message server, which the addresses belong to.
    /// - Returns: `nil` where it has no `fileId`.
    init?(json: JSONObject, server: ServerAddress) {
        guard let fileID = json["fileId"]?.string else { return nil }
        self.json = json
        self.fileID = fileID
        self.server = server
    }

    /// The room's id.
    public var roomID: String { json["roomId"]?.string ?? "" }
    /// What it is called.
    public var name: String { json["name"]?.string ?? "" }
    /// What the server says the bytes are.
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
    /// Where the bytes are, for whoever has this address, without a token; good for 60 to 90 minutes. Ranges can be asked for.
    public var url: String? { absolute("url") }
    /// Where its small picture is, in the same way; `nil` where there is none.
    public var thumbnailURL: String? { absolute("thumbnailUrl") }

    private func absolute(_ name: String) -> String? {
        guard let text = json[name]?.string else { return nil }
        return text.hasPrefix("/") ? "\(server)\(text)" : text
    }
}

/// What a message says of the uploaded file that it names. An address of it is to be had from ``ChatClient/files(_:)``.
public struct MessageFile: Hashable, Sendable {
    /// The id of the file.
    public let fileID: String
    /// What it is called.
    public let name: String?
    /// What the bytes are.
    public let mimeType: String?
    /// The size in bytes.
    public let fileSize: Int64?
    /// The width of a picture as it is shown, in pixels.
    public let width: Int64?
    /// The height of a picture as it is shown, in pixels.
    public let height: Int64?
    /// What its sender wrote about it.
    public let caption: String?

    /// - Returns: `nil` where the payload names no uploaded file.
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
