/// The storage of a client's data that must outlive it: positions, logs, the list of rooms, posts that are not sent.
///
/// Keys are paths of names separated by `/`; names have any characters. Several processes may share a store.
public protocol ChatStore: Sendable {
    /// Whether the stored values outlive the process.
    var isLasting: Bool { get }

    /// Reads and changes values in one step: no other step of any process runs at the same time, and either all of its
    /// changes are stored or none.
    /// - Parameter body: must not wait. If it throws, nothing is changed.
    /// - Throws: what `body` throws, or ``ChatError`` with code `store_failed`.
    func step<Result: Sendable>(
        _ body: @escaping @Sendable (inout ChatStoreStep) throws -> Result
    ) async throws -> Result
}

/// The view that a step has of its store. It sees its own changes.
public struct ChatStoreStep {
    private let read: (String) throws -> [UInt8]?
    private let list: (String) throws -> [String]
    /// Called with each value that was read.
    var onRead: (_ key: String, _ value: [UInt8]?) -> Void = { _, _ in }
    /// Called with the keys that begin with a prefix.
    var onList: (_ prefix: String, _ keys: [String]) -> Void = { _, _ in }
    /// The values that the step has changed; `nil` for those that it deleted.
    public private(set) var changes: [String: [UInt8]?] = [:]

    /// Creates a step.
    /// - Parameters:
    ///   - read: returns the value of a key as it was before the step.
    ///   - list: returns the keys that begin with a prefix as they were before the step, in any order.
    public init(read: @escaping (String) throws -> [UInt8]?, list: @escaping (String) throws -> [String]) {
        self.read = read
        self.list = list
    }

    /// The value of a key; `nil` if there is none.
    public func value(_ key: String) throws -> [UInt8]? {
        if let change = changes[key] { return change }
        let value = try read(key)
        onRead(key, value)
        return value
    }

    /// The keys that begin with a prefix, sorted.
    public func keys(withPrefix prefix: String) throws -> [String] {
        let listed = try list(prefix)
        onList(prefix, listed)
        var keys = Set(listed)
        for (key, value) in changes where key.hasPrefix(prefix) {
            if value == nil { keys.remove(key) } else { keys.insert(key) }
        }
        return keys.sorted()
    }

    /// Sets a value; `nil` deletes the key.
    public mutating func set(_ key: String, _ value: [UInt8]?) { changes[key] = .some(value) }
}

extension ChatStore where Self == MemoryChatStore {
    /// A new store in memory: its values end with it.
    public static var memory: MemoryChatStore { MemoryChatStore() }
}

extension ChatStore where Self == FileChatStore {
    /// A store of files below a folder, which several processes may share.
    /// - Throws: ``ChatError`` with code `store_failed` if the folder cannot be created or its file system has no
    ///   locks.
    public static func file(_ folder: String) throws -> FileChatStore { try FileChatStore(folder: folder) }
}
