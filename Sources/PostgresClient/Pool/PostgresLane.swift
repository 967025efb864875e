import Synchronization

/// Requests that are carried out in the order in which they are made, though none waits for another's answer.
///
/// While one of a lane's requests is under way, the next goes out behind it on the same connection. So the server has
/// work before it has told the result of the last. Only where a connection is just being opened or lent out may two
/// requests of a lane meet on different ones: what must not be reordered needs a lock in the database besides.
public struct PostgresLane: Sendable, Hashable {
    private static let lastID = Atomic<UInt64>(0)

    private let id = PostgresLane.lastID.wrappingAdd(1, ordering: .relaxed).newValue

    public init() {}
}
