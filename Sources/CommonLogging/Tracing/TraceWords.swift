import Synchronization

/// Words that no other process draws, nor this one again: for ids, not for secrets. The system's generator costs a system
/// call each time, which for the ids of a request is more than to read it.
enum TraceWords {
    private static let key = UInt64.random(in: 0...UInt64.max)
    private static let state = Atomic<UInt64>(UInt64.random(in: 0...UInt64.max))

    /// Never zero.
    static func next() -> UInt64 {
        // SplitMix64 (Steele, Lea, Flood 2014), keyed.
        let word = mix(mix(state.wrappingAdd(0x9E37_79B9_7F4A_7C15, ordering: .relaxed).newValue) ^ key)
        return word == 0 ? next() : word
    }

    private static func mix(_ word: UInt64) -> UInt64 {
        var word = word
        word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
        return word ^ (word >> 31)
    }
}
