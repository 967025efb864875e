/// The changes that a failing store could not take, until they can be written to it. Pure: no I/O.
///
/// Other processes may write to the store meanwhile, and their changes are as valid as these. A mix of both would be
/// inconsistent, so for each unit (the log of a room, or a single key) either all of these changes are written, or
/// none.
struct Overlay: Sendable {
    /// Changes of a store that were, or are to be, made.
    struct Merge: Sendable {
        var changes: [String: [UInt8]?] = [:]
        /// The values in the store afterwards, of all keys that were compared.
        fileprivate var present: [String: [UInt8]?] = [:]
        fileprivate var isGivenUp: Set<String> = []
    }

    private static let maximumAttempted = 8

    /// The values that were last seen in the store.
    private var base: [String: [UInt8]]
    /// Whether ``base`` holds all values of the store.
    private let isWhole: Bool
    private(set) var changes: [String: [UInt8]?] = [:]
    /// Hashes of values whose writing failed although it may have been done. The newest few of each key.
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

    /// The changes to write.
    /// - Parameter isLog: whether those of logs, or of other values.
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

    /// The changes of a merge were written.
    /// - Parameter overlay: this overlay as it was before. Changes made since then remain to be written.
    mutating func merged(_ merge: Merge, of overlay: Overlay) {
        for (key, value) in merge.present {
            base[key] = value
            attempted[key] = nil
            if changes[key] == overlay.changes[key] { changes[key] = nil }
        }
        changes = changes.filter { !merge.isGivenUp.contains(Self.unit($0.key)) }
    }

    /// Writing these changes failed, although it may have been done.
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

    /// The unit of a key: the log of a room, or the key itself.
    private static func unit(_ key: String) -> String {
        guard let folder = key.firstRange(of: "/room/") else { return key }
        return String(key[..<folder.upperBound] + key[folder.upperBound...].prefix { $0 != "/" })
    }
}
