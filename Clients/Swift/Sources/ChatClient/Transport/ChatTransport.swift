/// One HTTP call.
struct HTTPCall: Sendable, Equatable {
    enum Method: String, Sendable { case get = "GET", post = "POST", put = "PUT", patch = "PATCH", delete = "DELETE" }

    var method: Method = .get
    var server: ServerAddress
    /// The path below the server's own, with its query.
    var path: String
    var headers: [(name: String, value: String)] = []
    var body: [UInt8]?
    /// Whether the body has a key by which the server recognizes a repeated call.
    var isKeyed = false
    var timeoutMilliseconds: Int64 = 30_000
    /// The largest body of a response that is read.
    var maximumResponseBytes = 32 << 20

    /// Whether it has the same effect if it is made twice (RFC 9110 section 9.2.2).
    var isRepeatable: Bool { isKeyed || method == .get || method == .put || method == .delete }

    static func == (a: HTTPCall, b: HTTPCall) -> Bool {
        a.method == b.method && a.server == b.server && a.path == b.path && a.body == b.body
    }
}

/// A connection that stays open for frames.
struct ConnectionRequest: Sendable {
    enum Kind: Sendable { case webSocket, eventStream }

    var kind: Kind
    var server: ServerAddress
    /// The path below the server's own, with its query.
    var path: String
    var headers: [(name: String, value: String)] = []
}

/// The input of a connection.
enum ConnectionInput: Sendable, Equatable {
    /// The handshake was accepted.
    case opened
    /// The text of a frame, and on an event stream its id.
    case frame(String, id: String?)
    /// A protocol ping, a pong or a comment: no content, but it shows that the server is reachable.
    case activity
    /// An event stream that is about to end says how long to wait before the next attempt.
    case retry(milliseconds: Int64)
}

/// The output of a connection.
enum ConnectionOutput: Sendable, Equatable {
    case frame(String)
    case close(code: UInt16)
}

/// The end of a connection.
enum ConnectionEnd: Sendable {
    /// By a close frame, an `event: close`, or without either (1006).
    case closed(code: UInt16, reason: String)
    /// The handshake was answered with an HTTP status.
    case refused(ClientResponse)
    /// It could not be made, or broke.
    case failed(ChatError)
}

/// Does the I/O. A cancelled task ends its call or connection at once.
protocol ChatTransport: Sendable {
    /// Makes one call.
    /// - Throws: ``ChatError`` with code `network`, `timeout` or `protocol`.
    func call(_ call: HTTPCall) async throws -> ClientResponse

    /// Makes one call whose body is sent as a stream, over a connection of its own. Its `timeoutMilliseconds` are the
    /// maximum time without progress.
    /// - Parameter onSent: called with the number of bytes that were handed to the network so far.
    /// - Throws: ``ChatError`` as ``call(_:)``, and what reading the body throws.
    func upload(
        _ call: HTTPCall, _ body: UploadBody, onSent: @escaping @Sendable (Int64) -> Void
    ) async throws -> ClientResponse

    /// Connections of calls are kept for further ones from now on.
    func keepConnections()

    /// Closes the connections that wait for a call, and keeps none from now on.
    func closeConnections()

    /// Opens a connection and stays until it has ended.
    /// - Parameters:
    ///   - output: the frames to send; its end changes nothing.
    ///   - receive: gets the inputs of one read, and is awaited before the next, so that a slow consumer slows the
    ///     server.
    func connect(
        _ request: ConnectionRequest, output: AsyncStream<ConnectionOutput>,
        receive: @escaping @Sendable ([ConnectionInput]) async -> Void
    ) async -> ConnectionEnd
}
