/// A server's channel to itself on Redis, by which it proves that its subscription hears. No room can have such a name,
/// and the pattern for rooms matches it.
public struct CanaryChannel: Sendable {
    public let name: String

    /// - Parameter serverID: different for each server.
    public init(serverID: String) { name = "chat:room:!canary:\(serverID)" }
}
