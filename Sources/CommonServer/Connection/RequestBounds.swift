import NIOCore

/// What one request, and one connection, may cost.
public enum RequestBounds {
    /// Of a JSON body; above it the answer is 413.
    public static let maximumBodyBytes = 64 * 1_024
    /// What is read of one body at most, wanted or not.
    static let maximumReadBytes = 1_024 * 1_024
    /// In which the head of a request must have arrived: from its first byte on, of the first from the connection on.
    public static let headTimeout = TimeAmount.seconds(10)
    /// In which the rest of a request must have arrived.
    static let bodyTimeout = TimeAmount.seconds(60)
    /// After an answer, without another request.
    static let idleTimeout = TimeAmount.seconds(75)
    /// In which the peer must take something of what waits to be sent to it.
    static let stallTimeout = TimeAmount.seconds(60)
    /// For how long what a client still sends is read after the last answer. Closing at once would make the kernel reset
    /// the connection, and the client may lose the answer (RFC 9112 section 9.6).
    static let lingerTime = TimeAmount.seconds(2)
    /// What clients still get, when the server stops, to send the rest of a request or to take their answers.
    static let stopTime = TimeAmount.seconds(5)
}
