import CommonUtil

/// Where a verifier gets public keys from.
public protocol KeySource: Sendable {
    /// The keys known now; `nil` as long as there never were any.
    var keys: KeySet? { get }

    /// The keys after looking once more, asked for when a token names a key that ``keys`` does not hold.
    /// - Throws: `unavailable` where they cannot be got.
    func refreshedKeys() async throws(ChatError) -> KeySet
}

extension KeySource {
    /// For the readiness check `keys`.
    public var isReady: Bool { keys != nil }
}

/// Keys that are at hand: the system server's own.
public struct LocalKeys: KeySource {
    private let current: @Sendable () -> KeySet

    public init(_ current: @escaping @Sendable () -> KeySet) { self.current = current }

    public var keys: KeySet? { current() }
    public func refreshedKeys() async throws(ChatError) -> KeySet { current() }
}
