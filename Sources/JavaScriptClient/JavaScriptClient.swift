/// The JavaScript client library as pages load it: `Clients/JavaScript/dist`, which the build embeds into the executable.
public enum JavaScriptClient {
    /// Its files by their names.
    public static let files: [(name: String, bytes: [UInt8])] = [
        ("batched-storage.js", PackageResources.batched_storage_js),
        ("chat.d.ts", PackageResources.chat_d_ts),
        ("chat.js", PackageResources.chat_js),
        ("event-reading.js", PackageResources.event_reading_js),
        ("event-stream.js", PackageResources.event_stream_js),
        ("files.js", PackageResources.files_js),
        ("react.d.ts", PackageResources.react_d_ts),
        ("react.js", PackageResources.react_js),
        ("restoring.js", PackageResources.restoring_js),
    ]
}
