/// The small values of a store as they were last read or written, in case it cannot be read when it fails. Pure: no
/// I/O.
struct StoreMirror: Sendable {
    private(set) var values: [String: [UInt8]] = [:]

    /// A value was read or written.
    mutating func set(_ key: String, _ value: [UInt8]?) {
        if !Overlay.isLog(key) { values[key] = value }
    }

    /// All keys that begin with a prefix: other processes have deleted the others.
    mutating func keep(_ keys: [String], withPrefix prefix: String) {
        guard !Overlay.isLog(prefix) else { return }
        let keys = Set(keys)
        values = values.filter { !$0.key.hasPrefix(prefix) || keys.contains($0.key) }
    }
}
