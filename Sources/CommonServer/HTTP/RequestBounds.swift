import NIOCore

/// The limits on the size and the time of requests and connections.
public enum RequestBounds {
    // MARK: Sizes

    /// Maximum size of a request's head, the empty line included; beyond it the response is 431.
    public static let maximumHeadBytes = 16 * 1_024
    /// Maximum number of header fields; beyond it the response is 431.
    static let maximumFields = 100
    /// Maximum size of a JSON body, except where a route says another; beyond it the response is 413.
    public static let maximumBodyBytes = 64 * 1_024
    /// Maximum number of bytes of one body that are read and dropped once the response has begun. Before that a route reads
    /// as much as it wants, at its own pace.
    static let maximumDroppedBytes = 1_024 * 1_024

    // MARK: Times

    /// Time for the head of a request: from its first byte, for the first request from the start of the connection.
    public static let headTimeout = TimeAmount.seconds(10)
    /// Time for the body of a request.
    static let bodyTimeout = TimeAmount.seconds(60)
    /// Time after a response in which the next request has to begin.
    static let idleTimeout = TimeAmount.seconds(75)
    /// Time in which the peer has to take some of the bytes that are queued for it.
    static let stallTimeout = TimeAmount.seconds(60)
    /// Time for which input is still read and dropped after the last response. Closing at once would make the kernel reset
    /// the connection, and the client can lose the response (RFC 9112 section 9.6).
    static let closingReadTime = TimeAmount.seconds(2)
    /// Time that clients have to send the rest of a request, or to read a response, when the server stops.
    static let shutdownGracePeriod = TimeAmount.seconds(5)
}
