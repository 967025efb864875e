import ChatClient

/// The names of users, each asked for once; of those that are not known again after a while.
actor UserNameCache {
    private static let maximum = 10_000
    private static let pause = Duration.seconds(60)
    private static let timeout = Duration.seconds(5)

    private let client: ChatClient
    private var names: [Int64: String] = [:]
    private var unknown: [Int64: ContinuousClock.Instant] = [:]

    init(_ client: ChatClient) { self.client = client }

    /// The display name, else `user 7`.
    func name(of userID: Int64) async -> String {
        if let name = names[userID] { return name }
        if let tried = unknown[userID], .now - tried < Self.pause { return Self.unnamed(userID) }
        if names.count + unknown.count >= Self.maximum { (names, unknown) = ([:], [:]) }
        guard let profile = await profile(userID) else {
            unknown[userID] = .now
            return Self.unnamed(userID)
        }
        let name = TerminalText.clean(profile.displayName)
        names[userID] = name
        return name
    }

    static func unnamed(_ userID: Int64) -> String { "user \(userID)" }

    private func profile(_ userID: Int64) async -> UserProfile? {
        await withTaskGroup(of: UserProfile?.self) { [client] group in
            group.addTask { try? await client.user(userID) }
            group.addTask {
                try? await Task.sleep(for: Self.timeout)
                return nil
            }
            defer { group.cancelAll() }
            return await group.next() ?? nil
        }
    }
}
