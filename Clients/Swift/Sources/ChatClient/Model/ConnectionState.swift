/// The states of a client.
public enum ConnectionState: String, Sendable, Hashable {
    /// There is no connection: stopped, or waiting for the next attempt.
    case offline
    /// An attempt to connect is under way.
    case connecting
    /// Connected; missed events are being sent.
    case syncing
    /// Connected; events arrive as they happen.
    case live
    /// Nobody is signed in.
    case signedOut
    /// The client is closed and cannot be started again.
    case closed
}

/// The reason of a state; for `connecting`, `syncing` and `live`, the reason of this attempt.
public enum ConnectionReason: String, Sendable, Hashable {
    /// `run()` has begun.
    case start
    /// The network, or a server that does not answer.
    case network
    /// The server sent nothing any more.
    case dead
    /// The server is being restarted, and asked the client to reconnect.
    case restart
    /// The server has too much to do.
    case busy
    /// There is no token, or the server refused it.
    case token
    /// The server violated the protocol, for example by a gap in a log.
    case `protocol`
    /// WebSockets do not get through, or the server has no event streams.
    case unsupported
    /// The machine slept.
    case sleep
    /// Events could not be stored.
    case store
    /// `run()` has ended.
    case stopped
    /// The application says that nobody is signed in.
    case signedOut
    /// The token is another user's.
    case otherUser
    /// The client is closed and cannot be started again.
    case closed
}

/// A state of the connection and its reason.
public struct ConnectionStatus: Sendable, Hashable {
    /// The state.
    public let state: ConnectionState
    /// The state before.
    public let previous: ConnectionState
    /// The reason of the state.
    public let reason: ConnectionReason
    /// Time until the next attempt, while the client waits for it.
    public let retryInMilliseconds: Int64?

    static let initial = ConnectionStatus(
        state: .offline, previous: .offline, reason: .stopped, retryInMilliseconds: nil)
}

/// The reason for which the application is asked for a token.
public enum TokenReason: String, Sendable, Hashable {
    /// There is none yet.
    case first
    /// The present one ends soon.
    case expiring
    /// The server refused the present one.
    case refused
}
