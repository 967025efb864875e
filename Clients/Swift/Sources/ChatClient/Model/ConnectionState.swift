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
    case start, network, dead, restart, busy, token, `protocol`, unsupported, sleep, store, stopped, signedOut,
        otherUser
    case closed
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
