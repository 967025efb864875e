/// The states of a client.
public enum ConnectionState: String, Sendable, Hashable {
    /// Nothing is open: stopped, or waiting for the next try.
    case offline
    /// A try.
    case connecting
    /// Connected; what was missed is on its way.
    case syncing
    /// All that happens arrives at once.
    case live
    /// Nobody is signed in.
    case signedOut
    /// For good.
    case closed
}

/// Why a state is what it is; of `connecting`, `syncing` and `live`, what made this try necessary.
public enum ConnectionReason: String, Sendable, Hashable {
    /// `run()` has begun.
    case start
    /// The network, or a server that does not answer.
    case network
    /// Nothing came any more.
    case dead
    /// The server stops, and asked to come back.
    case restart
    /// The server has too much to do.
    case busy
    /// There is no token, or the server refused it.
    case token
    /// What came is not by the contract, such as a gap.
    case `protocol`
    /// WebSockets do not get through, or event streams are not to be had.
    case unsupported
    /// The machine slept.
    case sleep
    /// What came could not be kept.
    case store
    /// `run()` has ended.
    case stopped
    /// The application says that nobody is signed in.
    case signedOut
    /// The token is another user's.
    case otherUser
    /// For good.
    case closed
}

/// A state of the connection and why it is so.
public struct ConnectionStatus: Sendable, Hashable {
    /// The state.
    public let state: ConnectionState
    /// The state before.
    public let previous: ConnectionState
    /// Why.
    public let reason: ConnectionReason
    /// While it waits, how long until the next try.
    public let retryInMilliseconds: Int64?

    static let initial = ConnectionStatus(
        state: .offline, previous: .offline, reason: .stopped, retryInMilliseconds: nil)
}

/// Why the application is asked for a token.
public enum TokenReason: String, Sendable, Hashable {
    /// There is none yet.
    case first
    /// The one there is ends soon.
    case expiring
    /// The server refused the one there is.
    case refused
}
