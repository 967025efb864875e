/// What a store that fails was to keep, until it can be written there. Pure.
///
/// Other processes may write to the store meanwhile. What they have changed is as good as what is here, and half of each would
/// fit nothing: so of what belongs together either all of this is written, or nothing.
struct Overlay: Sendable {
    /// What was, or is to be, done to a store.
    struct Merge: Sendable {
        var changes: [String: [UInt8]?] = [:]
        /// What the store holds afterwards of all keys that were looked at.
        fileprivate var present: [String: [UInt8]?] = [:]
        fileprivate var isGivenUp: Set<String> = []
    }

    private static let maximumAttempted = 8

    /// What the store was seen to hold.
    private var base: [String: [UInt8]]
    /// Whether that is all of it.
    private let isWhole: Bool
    private(set) var changes: [String: [UInt8]?] = [:]
    /// Hashes of values whose writing failed: it may have been done all the same. The newest few of a key.
    private var attempted: [String: [Int]] = [:]

    /// - Parameter attempted: changes whose writing failed.
    init(base: [String: [UInt8]], isWhole: Bool, attempted: [String: [UInt8]?] = [:]) {
        self.base = base
        self.isWhole = isWhole
        writingFailed(attempted)
    }

    /// Whether a key is of a room's log. Logs can be read from the server again; the rest is small and cannot.
    static func isLog(_ key: String) -> Bool { key.contains("/room/") }

    var isEmpty: Bool { changes.isEmpty }

    func value(_ key: String) -> [UInt8]? {
        if let changed = changes[key] { return changed }
        return base[key]
    }

    func keys(withPrefix prefix: String) -> [String] {
        base.keys.filter { $0.hasPrefix(prefix) && changes[$0] == nil }
            + changes.filter { $0.value != nil && $0.key.hasPrefix(prefix) }.map(\.key)
    }

    mutating func apply(_ changes: [String: [UInt8]?]) {
        for (key, value) in changes { self.changes[key] = .some(value) }
    }

    // MARK: The store works again

    /// What is to be written.
    /// - Parameter isLog: whether of logs, or of the rest.
    func merge(into step: ChatStoreStep, ofLogs isLog: Bool) throws -> Merge {
        var merge = Merge()
        let keys = changes.keys.filter { Self.isLog($0) == isLog }
        for (unit, keys) in Dictionary(grouping: keys, by: Self.unit) {
            var present: [String: [UInt8]?] = [:]
            for key in keys { present[key] = .some(try step.value(key)) }
            if present.allSatisfy({ isAsLeft($0.key, $0.value) }) {
                for key in keys {
                    merge.changes[key] = changes[key]
                    merge.present[key] = changes[key]
                }
            } else {
                merge.isGivenUp.insert(unit)
                merge.present.merge(present) { $1 }
            }
        }
        return merge
    }

    /// That was done.
    /// - Parameter overlay: this one as it was before. What was changed since then stays to be written.
    mutating func merged(_ merge: Merge, of overlay: Overlay) {
        for (key, value) in merge.present {
            base[key] = value
            attempted[key] = nil
            if changes[key] == overlay.changes[key] { changes[key] = nil }
        }
        changes = changes.filter { !merge.isGivenUp.contains(Self.unit($0.key)) }
    }

    /// That was tried.
    mutating func writingFailed(_ changes: [String: [UInt8]?]) {
        for (key, value) in changes {
            let hash = value.hashValue
            guard attempted[key]?.last != hash else { continue }
            attempted[key] = (attempted[key, default: []] + [hash]).suffix(Self.maximumAttempted)
        }
    }

    /// Whether no other process has changed a key.
    private func isAsLeft(_ key: String, _ present: [UInt8]?) -> Bool {
        if changes[key] == .some(present) || attempted[key]?.contains(present.hashValue) == true { return true }
        return isWhole || base[key] != nil ? present == base[key] : present == nil
    }

    /// What the key belongs to: the log of a room, or itself alone.
    private static func unit(_ key: String) -> String {
        guard let folder = key.firstRange(of: "/room/") else { return key }
        return String(key[..<folder.upperBound] + key[folder.upperBound...].prefix { $0 != "/" })
    }
}
