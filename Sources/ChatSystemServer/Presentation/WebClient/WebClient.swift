import CommonServer
import CommonUtil
import HTTPTypes
import Hummingbird

/// The web client: the page at `/` and its files below `/web/`. It is not part of the API, so these paths are no
/// routes; they are served from the start, before the server is ready.
struct WebClient: Sendable {
    /// The path of all files but the page itself.
    static let folder = "/web/"

    private let files: [String: StaticFile]
    private let policy: WebClientPolicy

    init(_ servers: PublicServers) {
        files = Dictionary(uniqueKeysWithValues: Self.embedded.map { ($0.path, $0) })
        policy = WebClientPolicy(servers)
    }

    /// The response for a path.
    /// - Returns: `nil` if there is no such file.
    func response(to request: Request) -> Response? {
        files[request.uri.path]?.response(to: request, headers: policy.headers(host: request.head.authority))
    }
}

/// The web client's Content Security Policy (Level 3): what it may load, and where it may connect.
struct WebClientPolicy: Sendable {
    private let servers: PublicServers

    init(_ servers: PublicServers) { self.servers = servers }

    /// The security headers of the page.
    /// - Parameter host: the request's `Host`, to which the ports of ``PublicAddress`` belong.
    func headers(host: String?) -> HTTPFields {
        // A policy cannot name an IPv6 address, so it names the port alone.
        let host = host.map { $0.prefix { $0 != ":" } }.flatMap { PublicAddress.isHostName($0) ? $0 : nil } ?? "*"
        let message = Self.source(servers.message, scheme: "http", host: host)
        let webSocket = Self.source(servers.webSocket, scheme: "ws", host: host)
        // Pictures and videos of links are other hosts'; `blob:` are one's own that are being sent. Event streams
        // are fetched where no WebSocket gets through.
        return SecurityHeaders.page(
            sources: """
                script-src 'self'; style-src 'self'; img-src 'self' https: http: data: blob:; \
                media-src https: http: blob:; \
                connect-src 'self' \(message) \(webSocket) \(Self.eventStreams(webSocket)); \
                require-trusted-types-for 'script'; trusted-types 'none'
                """)
    }

    /// `ws:` and `wss:` as `http:` and `https:`.
    private static func eventStreams(_ source: String) -> String {
        source.hasPrefix("ws") ? "http" + source.dropFirst(2) : source
    }

    // `http` and `ws` also match `https` and `wss` (section 6.7.2.8).
    private static func source(_ address: PublicAddress, scheme: String, host: Substring) -> String {
        switch address {
        case .port(let port): "\(scheme)://\(host):\(port)"
        case .url(let origin, _): origin
        }
    }
}

/// The files of the folder `Files`, which the build embeds into the executable.
extension WebClient {
    private static let page = "index.html"

    private static var embedded: [StaticFile] {
        resources.map { name, bytes in StaticFile(path: name == page ? "/" : folder + name, bytes: bytes) }
    }

    private static let resources: [(name: String, bytes: [UInt8])] = [
        ("app.js", PackageResources.app_js),
        ("attaching.js", PackageResources.attaching_js),
        ("attention.js", PackageResources.attention_js),
        ("chat-page.js", PackageResources.chat_page_js),
        ("composer.js", PackageResources.composer_js),
        ("composing.js", PackageResources.composing_js),
        ("connection-view.js", PackageResources.connection_view_js),
        ("content.js", PackageResources.content_js),
        ("dom.js", PackageResources.dom_js),
        ("emoji-dialog.js", PackageResources.emoji_dialog_js),
        ("emoji.js", PackageResources.emoji_js),
        ("file-view.js", PackageResources.file_view_js),
        ("heights.js", PackageResources.heights_js),
        ("icon-unread.svg", PackageResources.icon_unread_svg),
        ("icon.svg", PackageResources.icon_svg),
        ("index.html", PackageResources.index_html),
        ("links.js", PackageResources.links_js),
        ("markdown.js", PackageResources.markdown_js),
        ("message-list.js", PackageResources.message_list_js),
        ("message-view.js", PackageResources.message_view_js),
        ("names.js", PackageResources.names_js),
        ("people-picker.js", PackageResources.people_picker_js),
        ("people.js", PackageResources.people_js),
        ("preferences.js", PackageResources.preferences_js),
        ("rest.js", PackageResources.rest_js),
        ("room-dialogs.js", PackageResources.room_dialogs_js),
        ("room-files.js", PackageResources.room_files_js),
        ("room-head.js", PackageResources.room_head_js),
        ("room-keys.js", PackageResources.room_keys_js),
        ("room-source.js", PackageResources.room_source_js),
        ("room-view.js", PackageResources.room_view_js),
        ("room.css", PackageResources.room_css),
        ("route.js", PackageResources.route_js),
        ("rows.js", PackageResources.rows_js),
        ("session.js", PackageResources.session_js),
        ("settings-dialog.js", PackageResources.settings_dialog_js),
        ("sidebar.js", PackageResources.sidebar_js),
        ("sign-in-view.js", PackageResources.sign_in_view_js),
        ("strings-en.js", PackageResources.strings_en_js),
        ("strings-ko.js", PackageResources.strings_ko_js),
        ("strings.js", PackageResources.strings_js),
        ("style.css", PackageResources.style_css),
        ("tray.js", PackageResources.tray_js),
        ("uploads.js", PackageResources.uploads_js),
        ("viewer.js", PackageResources.viewer_js),
    ]
}
