import NIOConcurrencyHelpers

@testable import ChatClient

/// A store whose steps fail, or wait, as long as a test says so.
final class FailingStore: ChatStore {
    private let memory = MemoryChatStore()
    private let box = NIOLockedValueBox(false)
    private let hook = NIOLockedValueBox<@Sendable () async -> Void>({})
    let isHeld = LatestValue(false)
    /// Whether a step has waited.
    let isWaiting = LatestValue(false)

    var fails: Bool {
        get { box.withLockedValue { $0 } }
        set { box.withLockedValue { $0 = newValue } }
    }

    /// Called before each step that does not fail.
    var onStep: @Sendable () async -> Void {
        get { hook.withLockedValue { $0 } }
        set { hook.withLockedValue { $0 = newValue } }
    }

    var isLasting: Bool { true }
    var contents: [String: [UInt8]] { memory.contents }

    /// Another process changes values, whether or not the steps here fail.
    func change(_ changes: [String: [UInt8]?]) async throws {
        try await memory.step { step in
            for (key, value) in changes { step.set(key, value) }
        }
    }

    func step<Result: Sendable>(
        _ body: @escaping @Sendable (inout ChatStoreStep) throws -> Result
    ) async throws -> Result {
        if isHeld.value {
            isWaiting.set(true)
            for await isHeld in LatestValues(source: isHeld) where !isHeld { break }
        }
        if fails { throw ChatError(.storeFailed, "The disk is full", isTemporary: true) }
        await onStep()
        return try await memory.step(body)
    }
}
