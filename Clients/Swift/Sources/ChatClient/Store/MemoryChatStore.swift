import NIOConcurrencyHelpers

/// A store in memory.
public final class MemoryChatStore: ChatStore {
    private let values = NIOLockedValueBox<[String: [UInt8]]>([:])

    /// Creates an empty store.
    public init() {}

    /// The step's view of the values ends with this call, so that changing them copies nothing.
    private static func perform<Result>(
        _ body: (inout ChatStoreStep) throws -> Result, on values: [String: [UInt8]]
    ) throws -> (Result, [String: [UInt8]?]) {
        var step = ChatStoreStep {
            values[$0]
        } list: { prefix in
            values.keys.filter { $0.hasPrefix(prefix) }
        }
        return (try body(&step), step.changes)
    }

    /// `false`.
    public var isLasting: Bool { false }

    /// All values.
    var contents: [String: [UInt8]] { values.withLockedValue { $0 } }

    /// One step.
    public func step<Result: Sendable>(
        _ body: @escaping @Sendable (inout ChatStoreStep) throws -> Result
    ) async throws -> Result {
        try values.withLockedValue { values in
            let (result, changes) = try Self.perform(body, on: values)
            for (key, value) in changes { values[key] = value }
            return result
        }
    }
}
