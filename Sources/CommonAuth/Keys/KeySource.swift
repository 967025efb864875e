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

/// Keys that are at hand and do not change while the process runs: the system server's own.
public struct LocalKeys: KeySource {
    private let keySet: KeySet

    public init(_ keySet: KeySet) { self.keySet = keySet }

    public var keys: KeySet? { keySet }
    public func refreshedKeys() async throws(ChatError) -> KeySet { keySet }
}
