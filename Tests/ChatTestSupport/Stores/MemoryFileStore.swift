import ChatFileStore
import CommonUtil
import NIOCore
import Synchronization

/// A store of files without bytes: it keeps keys and sizes. A test can step in before and after each call.
public final class MemoryFileStore: FileStore {
    /// A call, before it is done.
    public enum Call: Equatable, Sendable {
        case put(String)
        case read(String)
        case remove(String)
        case size(String)
        case list(after: String?)
        case marker
        case abort
    }

    /// Called before a call is done. What it throws is the call's error, and then nothing is done.
    public typealias Step = @Sendable (Call, MemoryFileStore) async throws(FileStoreError) -> Void

    private static let pageLength = 1_000

    private struct State {
        var files: [String: StoredFile] = [:]
        var marker: String?
        var calls: [Call] = []
    }

    private let state = Mutex(State())
    private let step: Step

    public init(_ step: @escaping Step = { _, _ throws(FileStoreError) in }) { self.step = step }

    /// The keys, in order.
    public var keys: [String] { state.withLock { $0.files.keys.sorted() } }

    /// The calls so far.
    public var calls: [Call] { state.withLock(\.calls) }

    /// Stores a file behind the back of everybody.
    public func set(_ key: String, size: Int, at time: Timestamp = .now) {
        state.withLock { $0.files[key] = StoredFile(key: key, size: size, modifiedAt: time) }
    }

    /// Loses a file.
    public func lose(_ key: String) { state.withLock { $0.files[key] = nil } }

    private func begin(_ call: Call) async throws(FileStoreError) {
        state.withLock { $0.calls.append(call) }
        try await step(call, self)
    }

    public func put(_ key: String, from path: String, size: Int) async throws(FileStoreError) {
        try await begin(.put(key))
        set(key, size: size)
    }

    public func read(_ key: String, range: Range<Int>) async throws(FileStoreError) -> FileBytes {
        try await begin(.read(key))
        guard state.withLock({ $0.files[key] != nil }) else { throw .notFound }
        return AsyncThrowingStream<ByteBuffer, any Error> { continuation in
            continuation.yield(ByteBuffer(repeating: 0, count: range.count))
            continuation.finish()
        }
    }

    public func remove(_ key: String) async throws(FileStoreError) {
        try await begin(.remove(key))
        lose(key)
    }

    public func size(of key: String) async throws(FileStoreError) -> Int? {
        try await begin(.size(key))
        return state.withLock { $0.files[key]?.size }
    }

    public func list(after key: String?) async throws(FileStoreError) -> [StoredFile] {
        try await begin(.list(after: key))
        return state.withLock { state in
            let files = state.files.values.filter { $0.key > key ?? "" }.sorted { $0.key < $1.key }
            return Array(files.prefix(Self.pageLength))
        }
    }

    public func installation() async throws(FileStoreError) -> String? {
        try await begin(.marker)
        return state.withLock(\.marker)
    }

    public func claim(_ installation: String) async throws(FileStoreError) {
        try await begin(.marker)
        state.withLock { $0.marker = $0.marker ?? installation }
    }

    public func abortUnfinished(olderThan age: Duration) async throws(FileStoreError) { try await begin(.abort) }
}
