/// Names a lease. A connection is leased many times; a lease that has ended is never valid again.
struct LeaseID: Sendable, Hashable {
    let connection: PoolStateMachine.ConnectionID
    let number: UInt64
}

/// What the pool knows of a connection that is leased.
struct Lease {
    enum Kind: Sendable {
        /// Opened by this statement together with the first one of the caller, so that it costs no round trip.
        case transaction(begin: PostgresStatement)
        /// May leave anything behind in the session: its connection is closed at the end.
        case session
    }

    enum Phase {
        case active
        /// The caller is done; the connection is to be cleaned once it is idle.
        case ending
        /// Being rolled back.
        case cleaning
    }

    let id: LeaseID
    let kind: Kind
    var phase = Phase.active
    /// `BEGIN` has been put in front of a request.
    var hasBegun = false
}
