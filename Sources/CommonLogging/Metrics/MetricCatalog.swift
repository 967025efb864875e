/// The metrics of the platform: their `# HELP` texts, and the names that alert rules and dashboards can use.
public enum MetricCatalog {
    /// The `# HELP` texts by name. An unknown metric gets a text made of its name.
    public static let help: [String: String] = [
        "http_server_request_duration_seconds": "Time from a request's head to its response.",

        "chat_messages_stored_total": "Messages committed.",
        "chat_message_batch_size": "Messages of one transaction.",
        "chat_message_commit_seconds": "Time that the transaction of a batch of messages took.",
        "chat_events_published_total": "Events handed to Redis.",
        "chat_events_publish_failures_total": "Events that Redis did not take; sessions get them from the log.",

        "chat_sessions": "Open sessions, by whether they are live or catching up on the log.",
        "chat_event_streams": "Open event streams; their sessions are among chat_sessions.",
        "chat_rooms_with_sessions": "Rooms that have sessions on this server.",
        "chat_frames_sent_total": "Frames and events written to sockets and event streams.",
        "chat_frame_bytes_sent_total": "Bytes of these frames and events.",
        "chat_delivery_seconds": "Time from the commit of an event to the write to a socket.",
        "chat_events_received_total": "Events received, by where from: Redis or the log.",
        "chat_events_invalid_total": "Messages on Redis that are no event and were dropped.",
        "chat_feed_holes_total": "Events that arrived from Redis before one of their predecessors.",
        "chat_log_holes_total": "Gaps in the logs of rooms that were skipped.",
        "chat_sessions_closed_total": "Sessions closed by this server, by close code.",

        "chat_sign_ins_ended_total": "Sign-ins ended, by reason.",
        "chat_revocations": "Ended sign-ins that this server keeps in memory.",
        "chat_revocations_received_total": "Ends of sign-ins received, by where from: Redis or the database.",
        "chat_revocations_invalid_total": "Messages on Redis that name no end of a sign-in and were dropped.",
        "chat_revocations_read_failures_total": "Reads of ended sign-ins from the database that failed.",

        "chat_changes_sequencer": "Whether this server appends to the feed of changes: 1 or 0.",
        "chat_changes_appends_total": "Transactions that appended to the feed of changes.",
        "chat_changes_append_seconds": "Time from looking at rooms to the commit of what was appended.",
        "chat_webhooks_held": "Webhooks that this server delivers to.",
        "chat_webhook_attempts_total": "Attempts to deliver to webhooks.",
        "chat_webhook_failures_total": "Attempts to deliver to webhooks that failed.",

        "chat_message_hook_decisions_total": "Messages about which the hook was asked, by what became of them.",
        "chat_message_hook_seconds": "Time from asking the hook to its answer, or to giving up on it.",

        "chat_file_uploads_total": "Uploads, by result.",
        "chat_file_upload_bytes_total": "Bytes of stored uploads.",
        "chat_file_upload_seconds": "Time from the head of an upload's request to its file.",
        "chat_file_spool_bytes": "Bytes that uploads under way have reserved in the spool.",
        "chat_file_downloads": "Downloads that read from the store, or wait for their turn.",
        "chat_file_download_bytes_total": "Bytes read from the store for downloads.",
        "chat_file_downloads_cut_total": "Downloads ended in favour of others, since their clients took nothing.",
        "chat_file_store_errors_total": "Calls that the store of files did not do, by call.",
        "chat_files_removed_total": "Files and lost uploads whose bytes were removed from the store.",

        "chat_rate_limited_total": "Requests refused by a limit, by limit.",
        "chat_password_hash_seconds": "Time that hashing a password took.",

        "chat_postgres_pool": "Connections to PostgreSQL by state, and requests that wait for one.",
        "chat_postgres_query_seconds": "Time from a request's turn to PostgreSQL's answer.",
        "chat_postgres_reconnects_total": "Connections to PostgreSQL made again after one was lost.",
        "chat_redis_subscription_up": "Whether the subscription is up: 1 or 0.",
        "chat_redis_reconnects_total": "Connections to Redis made again after one was lost, by link.",
        "chat_redis_commands_total": "Commands sent to Redis.",
        "chat_redis_command_failures_total": "Commands to Redis that failed or were not answered.",
        "chat_redis_messages_total": "Messages received by the subscription.",
        "chat_redis_rooms_unsubscribed": "Rooms with sessions here whose channel could not be subscribed.",
        "chat_redis_unexpected_pushes_total": "Pushes of Redis that nothing waits for.",

        "chat_users": "Registered users; estimated where there are many.",
        "chat_rooms": "Rooms that are not archived; estimated where there are many.",
        "chat_log_lines_dropped_total": "Log lines dropped because the reader of the log is too slow.",
        "chat_build_info": "Always 1, with the version and the server as labels.",

        "process_cpu_seconds_total": "Processor time of the process, user and system.",
        "process_resident_memory_bytes": "Resident memory of the process.",
        "process_virtual_memory_bytes": "Virtual memory of the process.",
        "process_open_fds": "Open file descriptors of the process.",
        "process_max_fds": "File descriptors that the process may have open.",
        "process_start_time_seconds": "When the process was started, in seconds since 1970.",
    ]

    /// The text of a metric.
    static func help(for name: String) -> String {
        if let text = help[name] { return text }
        // A second Redis client, as the one for revocations, has the same metrics with a prefix of its own.
        if let range = name.firstRange(of: "_redis_"), let text = help["chat" + name[range.lowerBound...]] {
            return text
        }
        return name.split(separator: "_").joined(separator: " ")
    }
}
