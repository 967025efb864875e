import NIOConcurrencyHelpers

/// A store in memory.
public final class MemoryChatStore: ChatStore {
    private let values: NIOLockedValueBox<[String: [UInt8]]>

    /// Creates an empty store.
    public convenience init() { self.init([:]) }

    init(_ values: [String: [UInt8]]) { self.values = NIOLockedValueBox(values) }

    /// `false`.
    public var isLasting: Bool { false }

    /// All that it holds.
    var contents: [String: [UInt8]] { values.withLockedValue { $0 } }

    public func step<Result: Sendable>(
        _ body: @escaping @Sendable (inout ChatStoreStep) throws -> Result
    ) async throws -> Result {
        try values.withLockedValue { values in
            let before = values
            var step = ChatStoreStep {
                before[$0]
            } list: { prefix in
                before.keys.filter { $0.hasPrefix(prefix) }
            }
            let result = try body(&step)
            for (key, value) in step.changes { values[key] = value }
            return result
        }
    }
}
