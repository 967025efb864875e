/// The files of the folder `Files`, as the build has put them into the executable.
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
