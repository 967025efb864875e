/// The failure of a request to PostgreSQL.
public enum PostgresError: Error, Sendable, Hashable {
    /// The server refused the statement, or the commit. Nothing of the request was stored.
    case server(PostgresServerError)
    /// No connection could be made before the deadline; the text is libpq's, without secrets. Nothing was sent.
    case connectFailed(String)
    /// The connection ended under the request. `outcomeUnknown` is false when the server cannot have committed it.
    case connectionLost(outcomeUnknown: Bool)
    /// The deadline passed: in the queue (`outcomeUnknown` false) or with the request in progress (true).
    case timedOut(outcomeUnknown: Bool)
    /// The caller's task was cancelled. A request in progress is still carried out, and its result dropped.
    case cancelled(outcomeUnknown: Bool)
    /// The queue of waiting requests is full. Nothing was sent.
    case tooManyWaiters
    /// The client, transaction or session has ended. Nothing was sent.
    case closed
    /// A row does not have the expected columns.
    case decoding(String)
    /// The client does not support the request, e.g. `COPY`.
    case unsupported(String, outcomeUnknown: Bool)
    /// The connection URI, or another setting, cannot be used. Never quotes the URI, as it may hold a password.
    case invalidConfiguration(String)
    /// The migrations of this program and those of the database contradict each other.
    case migration(String)

    /// Whether the request may have been committed although it failed.
    public var isOutcomeUnknown: Bool {
        switch self {
        case .connectionLost(let unknown), .timedOut(let unknown), .cancelled(let unknown): unknown
        case .unsupported(_, let unknown): unknown
        case .server(let error): error.isOutcomeUnknown
        case .connectFailed, .tooManyWaiters, .closed, .decoding, .invalidConfiguration, .migration: false
        }
    }

    /// Whether the same request may succeed later. It may be *repeated* only where ``isOutcomeUnknown`` is false.
    public var isTransient: Bool {
        switch self {
        case .connectFailed, .connectionLost, .timedOut, .tooManyWaiters: true
        case .server(let error): error.isTransient
        case .cancelled, .closed, .decoding, .unsupported, .invalidConfiguration, .migration: false
        }
    }

    /// The server's error, if the server refused the request.
    public var serverError: PostgresServerError? {
        if case .server(let error) = self { error } else { nil }
    }

    /// The server's error code, if the server refused the request.
    public var sqlState: SQLState? { serverError?.sqlState }
}

extension PostgresError: CustomStringConvertible {
    /// The error without values of rows, for logs.
    public var description: String {
        switch self {
        case .server(let error): "PostgreSQL refused: \(error)"
        case .connectFailed(let reason): "no connection to PostgreSQL: \(reason)"
        case .connectionLost(let unknown): "connection to PostgreSQL lost\(Self.outcome(unknown))"
        case .timedOut(let unknown): "PostgreSQL request timed out\(Self.outcome(unknown))"
        case .cancelled(let unknown): "PostgreSQL request cancelled\(Self.outcome(unknown))"
        case .tooManyWaiters: "too many requests wait for PostgreSQL"
        case .closed: "the PostgreSQL client is closed"
        case .decoding(let reason): "unexpected PostgreSQL row: \(reason)"
        case .unsupported(let reason, _): "not supported by this PostgreSQL client: \(reason)"
        case .invalidConfiguration(let reason): "invalid PostgreSQL configuration: \(reason)"
        case .migration(let reason): "PostgreSQL migration: \(reason)"
        }
    }

    private static func outcome(_ unknown: Bool) -> String { unknown ? ", outcome unknown" : "" }
}
