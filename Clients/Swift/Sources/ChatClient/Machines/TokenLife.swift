/// What the client reads of an access token. It proves nothing: the server checks it.
struct TokenLife: Sendable, Equatable {
    let userID: Int64
    let remainingMilliseconds: Int64
    let lifeMilliseconds: Int64

    /// Reads a JWT; `nil` where it is none.
    init?(token: String, wallClock now: Int64) {
        let parts = token.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3, !parts[2].isEmpty, let claims = Self.decodeBase64URL(parts[1]),
            let json = try? JSONParser.parse(claims), let userID = json["sub"]?.string.flatMap({ Int64($0) }),
            (1...9_007_199_254_740_991).contains(userID), let end = json["exp"]?.double, end > 0, end < 1e12
        else { return nil }
        let issued = json["iat"]?.double.flatMap { $0 > 0 && $0 < end ? $0 : nil }
        let remaining = Int64(end * 1000) - now
        let life = issued.map { Int64((end - $0) * 1000) } ?? max(remaining, 0)
        self.userID = userID
        lifeMilliseconds = life
        // What has just been given has not ended: this clock is wrong, so it is taken as new.
        remainingMilliseconds = remaining <= 0 || remaining > life ? life : remaining
    }

    init(userID: Int64, remainingMilliseconds: Int64, lifeMilliseconds: Int64) {
        self.userID = userID
        self.remainingMilliseconds = remainingMilliseconds
        self.lifeMilliseconds = lifeMilliseconds
    }

    /// When to renew it: with 20 % of the life left, but at least 60 s before the end where the life is long enough.
    var renewAfterMilliseconds: Int64 {
        let fifth = lifeMilliseconds / 5
        let margin = lifeMilliseconds > 66_000 ? max(fifth, 60_000) : fifth
        // A token that comes late in its life is used for a while all the same.
        return max(remainingMilliseconds - margin, min(remainingMilliseconds / 2, 10_000))
    }

    /// Decodes base64 in the alphabet of URLs, without padding (RFC 4648); `nil` where it is none.
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
