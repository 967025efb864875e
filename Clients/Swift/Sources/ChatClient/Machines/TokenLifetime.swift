/// The user and the lifetime of an access token. This proves nothing: the server verifies the token.
struct TokenLifetime: Sendable, Equatable {
    let userID: Int64
    let remainingMilliseconds: Int64
    let lifetimeMilliseconds: Int64

    /// Reads a JWT; `nil` if it is none.
    init?(token: String, wallClock now: Int64) {
        let parts = token.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3, !parts[2].isEmpty, let claims = Self.decodeBase64URL(parts[1]),
            let json = try? JSONParser.parse(claims), let userID = json["sub"]?.string.flatMap({ Int64($0) }),
            (1...9_007_199_254_740_991).contains(userID), let end = json["exp"]?.double, end > 0, end < 1e12
        else { return nil }
        let issued = json["iat"]?.double.flatMap { $0 > 0 && $0 < end ? $0 : nil }
        let remaining = Int64(end * 1000) - now
        let lifetime = issued.map { Int64((end - $0) * 1000) } ?? max(remaining, 0)
        self.userID = userID
        lifetimeMilliseconds = lifetime
        // The application has just returned it, so it has not ended: this clock is wrong, and the token counts as new.
        remainingMilliseconds = remaining <= 0 || remaining > lifetime ? lifetime : remaining
    }

    init(userID: Int64, remainingMilliseconds: Int64, lifetimeMilliseconds: Int64) {
        self.userID = userID
        self.remainingMilliseconds = remainingMilliseconds
        self.lifetimeMilliseconds = lifetimeMilliseconds
    }

    /// Time until its renewal: with 20 % of the lifetime left, but at least 60 s before the end if the lifetime is long
    /// enough.
    var renewAfterMilliseconds: Int64 {
        let fifth = lifetimeMilliseconds / 5
        let margin = lifetimeMilliseconds > 66_000 ? max(fifth, 60_000) : fifth
        // A token that arrives late in its lifetime is still used for a while.
        return max(remainingMilliseconds - margin, min(remainingMilliseconds / 2, 10_000))
    }

    /// Decodes base64 in the alphabet of URLs, without padding (RFC 4648); `nil` if it is invalid.
    private static func decodeBase64URL(_ text: Substring) -> [UInt8]? {
        var bytes: [UInt8] = []
        var bits: UInt32 = 0
        var count = 0
        for byte in text.utf8 {
            let digit: UInt8
            switch byte {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"): digit = byte - UInt8(ascii: "A")
            case UInt8(ascii: "a")...UInt8(ascii: "z"): digit = byte - UInt8(ascii: "a") + 26
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = byte - UInt8(ascii: "0") + 52
            case UInt8(ascii: "-"): digit = 62
            case UInt8(ascii: "_"): digit = 63
            default: return nil
            }
            bits = bits << 6 | UInt32(digit)
            count += 6
            if count >= 8 {
                count -= 8
                bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
            }
        }
        return bytes
    }
}
