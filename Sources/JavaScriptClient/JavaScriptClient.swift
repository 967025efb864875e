/// The JavaScript client library, `Clients/JavaScript/src`, which the build embeds into the executable.
public enum JavaScriptClient {
    /// Its files by their paths below that folder, with `/` between folders.
    public static let files: [(path: String, bytes: [UInt8])] = [
        ("core/connection.js", PackageResources.connection_js),
        ("core/outbox.js", PackageResources.outbox_js),
        ("core/reader.js", PackageResources.reader_js),
        ("core/room-list.js", PackageResources.room_list_js),
        ("core/room-log.js", PackageResources.room_log_js),
        ("core/timeline.js", PackageResources.timeline_js),
        ("core/timers.js", PackageResources.timers_js),
        ("core/token.js", PackageResources.token_js),
    ]
}
