/// Punycode (RFC 3492), as names beyond ASCII are written in the DNS.
enum Punycode {
    private static let (base, minimumThreshold, maximumThreshold) = (36, 1, 26)
    private static let (skew, damp, initialBias, initialCode) = (38, 700, 72, 0x80)

    /// - Returns: the encoded label without `xn--`; `nil` where it is too long to be one.
    static func encode(_ label: String) -> String? {
        let input = label.unicodeScalars.map { Int($0.value) }
        guard input.count <= 63 else { return nil }
        var output = label.unicodeScalars.filter(\.isASCII).map { Character($0) }
        let basicCount = output.count
        if basicCount > 0 { output.append("-") }
        var (code, delta, bias, handled) = (initialCode, 0, initialBias, basicCount)
        while handled < input.count {
            guard let next = input.filter({ $0 >= code }).min() else { return nil }
            delta += (next - code) * (handled + 1)
            code = next
            for scalar in input {
                if scalar < code { delta += 1 }
                guard scalar == code else { continue }
                output += digits(of: delta, bias: bias)
                bias = adapted(delta, count: handled + 1, isFirst: handled == basicCount)
                delta = 0
                handled += 1
            }
            delta += 1
            code += 1
        }
        return String(output)
    }

    /// A generalised variable-length integer.
    private static func digits(of delta: Int, bias: Int) -> [Character] {
        var (rest, position, digits) = (delta, base, [Character]())
        while true {
            let threshold = min(max(position - bias, minimumThreshold), maximumThreshold)
            guard rest >= threshold else { break }
            digits.append(digit(threshold + (rest - threshold) % (base - threshold)))
            rest = (rest - threshold) / (base - threshold)
            position += base
        }
        return digits + [digit(rest)]
    }

    private static func digit(_ value: Int) -> Character {
        Character(UnicodeScalar(UInt8(value < 26 ? value + 0x61 : value - 26 + 0x30)))
    }

    private static func adapted(_ delta: Int, count: Int, isFirst: Bool) -> Int {
        var delta = isFirst ? delta / damp : delta / 2
        delta += delta / count
        var steps = 0
        while delta > (base - minimumThreshold) * maximumThreshold / 2 {
            delta /= base - minimumThreshold
            steps += base
        }
        return steps + (base - minimumThreshold + 1) * delta / (delta + skew)
    }
}
