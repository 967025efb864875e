import Crypto
import FoundationEssentials
import NIOCore

/// A file of the web client with its response headers.
struct WebFile: Sendable {
    /// The path of all files but the page itself.
    static let folder = "/web/"

    let path: String
    let contentType: String
    let body: ByteBuffer
    /// A strong validator (RFC 9110 section 8.8.3), made of the content alone, so that all instances have the same.
    let entityTag: String

    init(path: String, bytes: [UInt8]) {
        self.path = path
        contentType = Self.contentType(of: path)
        body = ByteBuffer(bytes: bytes)
        entityTag = "\"\(Data(SHA256.hash(data: bytes).prefix(18)).base64EncodedString())\""
    }

    /// Whether `If-None-Match` names this content (RFC 9110 section 13.1.2).
    func isKnown(to ifNoneMatch: String?) -> Bool {
        guard let ifNoneMatch else { return false }
        // None of these tags contains a comma.
        return ifNoneMatch.split(separator: ",").contains { element in
            let tag = element.drop { $0 == " " || $0 == "\t" }.prefix { $0 != " " && $0 != "\t" }
            return tag == "*" || (tag.hasPrefix("W/") ? tag.dropFirst(2) : tag) == entityTag
        }
    }

    private static func contentType(of path: String) -> String {
        switch path.split(separator: ".").last {
        case "css": "text/css; charset=utf-8"
        case "js": "text/javascript; charset=utf-8"
        case "json": "application/json"
        case "svg": "image/svg+xml"
        default: "text/html; charset=utf-8"
        }
    }
}

/// The files of the folder `Files`, which the build embeds into the executable.
extension WebFile {
    private static let page = "index.html"

    static var embedded: [WebFile] {
        resources.map { name, bytes in WebFile(path: name == page ? "/" : folder + name, bytes: bytes) }
    }

    private static let resources: [(name: String, bytes: [UInt8])] = [
        ("api.js", PackageResources.api_js),
        ("app.js", PackageResources.app_js),
        ("backoff.js", PackageResources.backoff_js),
        ("chat.js", PackageResources.chat_js),
        ("close-codes.js", PackageResources.close_codes_js),
        ("composer.js", PackageResources.composer_js),
        ("configuration.js", PackageResources.configuration_js),
        ("dom.js", PackageResources.dom_js),
        ("find-dialog.js", PackageResources.find_dialog_js),
        ("http.js", PackageResources.http_js),
        ("icon.svg", PackageResources.icon_svg),
        ("index.html", PackageResources.index_html),
        ("members-dialog.js", PackageResources.members_dialog_js),
        ("message-text.js", PackageResources.message_text_js),
        ("message-view.js", PackageResources.message_view_js),
        ("new-room-dialog.js", PackageResources.new_room_dialog_js),
        ("outbox.js", PackageResources.outbox_js),
        ("people-picker.js", PackageResources.people_picker_js),
        ("people.js", PackageResources.people_js),
        ("post-queue.js", PackageResources.post_queue_js),
        ("room-list-view.js", PackageResources.room_list_view_js),
        ("room-list.js", PackageResources.room_list_js),
        ("room-log.js", PackageResources.room_log_js),
        ("room-socket.js", PackageResources.room_socket_js),
        ("room-view.js", PackageResources.room_view_js),
        ("room.css", PackageResources.room_css),
        ("room.js", PackageResources.room_js),
        ("session.js", PackageResources.session_js),
        ("sign-in-view.js", PackageResources.sign_in_view_js),
        ("style.css", PackageResources.style_css),
        ("timeline.js", PackageResources.timeline_js),
        ("typing.js", PackageResources.typing_js),
    ]
}
