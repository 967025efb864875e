/// The id of one session, which the client gets in `ready`: 80 random bits.
///
/// Two integers instead of a string, which would be an allocation for each socket.
struct SessionID: Hashable, Sendable {
    private let high: UInt16
    private let low: UInt64

    private init(high: UInt16, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// Makes an id that no other session has.
    static func random() -> SessionID {
        SessionID(high: .random(in: .min ... .max), low: .random(in: .min ... .max))
    }
}

extension SessionID: CustomStringConvertible {
    /// 16 characters of five bits each, without those that are easily mistaken for others.
    var description: String {
        let alphabet: StaticString = "abcdefghjkmnpqrstvwxyz0123456789"
        return String(unsafeUninitializedCapacity: 16) { text in
            var (high, low) = (high, low)
            for index in 0..<16 {
                text[index] = alphabet.utf8Start[Int(low & 0x1F)]
                low = low >> 5 | UInt64(high & 0x1F) << 59
                high >>= 5
            }
            return 16
        }
    }
}
