import CommonUtil

/// The least pace of an upload. One that trickles would hold its place, and its part of the spool, for hours. Reads no clock.
struct MinimumUploadRate {
    /// Bytes that have to come in each ``period``.
    static let minimumBytes = 64 * 1_024
    static let period = Duration.seconds(60)

    private var waited = Duration.zero
    private var bytes = 0

    /// Notes a piece of the body, unless it is the last. Only whole periods are judged, so a small file may come slowly.
    /// - Parameters:
    ///   - count: its bytes.
    ///   - wait: the time for which the client was waited for. The time that the server takes is not the client's.
    /// - Throws: `request_timeout` (408).
    mutating func note(_ count: Int, after wait: Duration) throws(ChatError) {
        waited += wait
        bytes += count
        guard waited >= Self.period else { return }
        guard bytes >= Self.minimumBytes else {
            throw ChatError(.requestTimeout, "Fewer than \(Self.minimumBytes) bytes of the body came in a minute")
        }
        (waited, bytes) = (.zero, 0)
    }
}
