extension ChatClient {
    /// The profile of any user, such as the sender of a message.
    /// - Throws: ``ChatError``, with status 404 where there is no such user.
    public func user(_ id: Int64) async throws -> UserProfile {
        try Self.read(try await core.rest(.get, .system, "/api/v1/users/\(id)"), UserProfile.init(json:))
    }
}
