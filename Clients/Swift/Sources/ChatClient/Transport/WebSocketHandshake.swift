import NIOCore

/// The opening handshake of a client (RFC 6455 section 4). Pure.
struct WebSocketHandshake {
    enum Outcome {
        case accepted
        /// The status is not 101; the body is what has come of it.
        case refused(HTTPAnswer)
    }

    /// The largest head of an answer.
    static let maximumHead = 16_384
    /// The largest body of a refusal that is read.
    static let maximumBody = 8192

    private let key: String
    private var input = ByteBuffer()
    private var refusal: HTTPAnswer?

    init(nonce: [UInt8]) { key = Base64.encode(nonce) }

    func request(_ request: ConnectionRequest) -> ByteBuffer {
        var head = "GET \(request.server.path)\(request.path) HTTP/1.1\r\nHost: \(request.server.authority)\r\n"
        head +=
            "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: \(key)\r\n"
        for (name, value) in request.headers { head += "\(name): \(value)\r\n" }
        return ByteBuffer(string: head + "\r\n")
    }

    /// Takes bytes of the answer.
    /// - Returns: `nil` if more are needed. After `accepted`, ``remainder`` holds bytes of the first frames.
    mutating func take(_ bytes: ByteBuffer) throws(ChatError) -> Outcome? {
        input.writeImmutableBuffer(bytes)
        if refusal != nil { return refused() }
        guard let end = Self.endOfHead(input) else {
            guard input.readableBytes <= Self.maximumHead else { throw Self.noAnswer }
            return nil
        }
        guard let text = input.readString(length: end) else { throw Self.noAnswer }
        let lines = text.split(separator: "\r\n", omittingEmptySubsequences: true)
        guard let first = lines.first, first.hasPrefix("HTTP/1.1 "), let status = Int(first.dropFirst(9).prefix(3))
        else {
            throw Self.noAnswer
        }
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: ":") else { throw Self.noAnswer }
            headers[line[..<colon].lowercased()] =
                String(line[line.index(after: colon)...].drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
        }
        guard status == 101 else {
            refusal = HTTPAnswer(status: status, headers: headers)
            return refused()
        }
        let expected = Base64.encode(SHA1.hash(Array((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").utf8)))
        guard headers["sec-websocket-accept"] == expected, headers["upgrade"]?.lowercased() == "websocket" else {
            throw Self.noAnswer
        }
        return .accepted
    }

    /// The bytes behind the head.
    var remainder: ByteBuffer { input }

    /// Of a refusal whose body is cut, what there is of it.
    var refusalSoFar: HTTPAnswer? {
        guard var refusal else { return nil }
        refusal.body = Array(input.readableBytesView)
        return refusal
    }

    private func refused() -> Outcome? {
        guard let answer = refusalSoFar else { return nil }
        let length = answer.headers["content-length"].flatMap(Int.init)
        let isComplete = length.map { answer.body.count >= $0 } ?? false
        return isComplete || answer.body.count >= Self.maximumBody ? .refused(answer) : nil
    }

    private static let noAnswer = ChatError(.protocol, "The answer to the handshake is no HTTP")

    private static func endOfHead(_ input: ByteBuffer) -> Int? {
        let bytes = input.readableBytesView.prefix(maximumHead)
        var run = 0
        let pattern = Array("\r\n\r\n".utf8)
        for (offset, byte) in bytes.enumerated() {
            run = byte == pattern[run] ? run + 1 : byte == pattern[0] ? 1 : 0
            if run == pattern.count { return offset + 1 }
        }
        return nil
    }
}

/// Base64 (RFC 4648), as far as it is needed here.
enum Base64 {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    static func encode(_ bytes: [UInt8]) -> String {
        var text: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = bytes[start..<min(start + 3, bytes.count)]
            var bits: UInt32 = 0
            for byte in group { bits = bits << 8 | UInt32(byte) }
            bits <<= UInt32(8 * (3 - group.count))
            for index in 0..<4 {
                let digit = alphabet[Int(bits >> UInt32(18 - 6 * index) & 63)]
                text.append(index <= group.count ? digit : UInt8(ascii: "="))
            }
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// Decodes the alphabet of URLs, without padding; `nil` where it is none.
    static func decodeURL(_ text: some StringProtocol) -> [UInt8]? {
        var bytes: [UInt8] = []
        var bits: UInt32 = 0
        var count = 0
        for byte in text.utf8 {
            let digit: UInt8? =
                switch byte {
                case UInt8(ascii: "-"): 62
                case UInt8(ascii: "_"): 63
                default: alphabet.firstIndex(of: byte).map { UInt8($0) }
                }
            guard let digit, digit < 64 else { return nil }
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

/// SHA-1 (RFC 3174). Only for the handshake, where it is no protection but a check that the peer speaks WebSocket.
enum SHA1 {
    static func hash(_ message: [UInt8]) -> [UInt8] {
        var bytes = message + [0x80]
        while bytes.count % 64 != 56 { bytes.append(0) }
        let bits = UInt64(message.count) * 8
        for shift in stride(from: 56, through: 0, by: -8) {
            bytes.append(UInt8(truncatingIfNeeded: bits >> UInt64(shift)))
        }
        var hash: [UInt32] = [0x6745_2301, 0xEFCD_AB89, 0x98BA_DCFE, 0x1032_5476, 0xC3D2_E1F0]
        for block in stride(from: 0, to: bytes.count, by: 64) {
            var words: [UInt32] = (0..<16).map { index in
                (0..<4).reduce(UInt32(0)) { $0 << 8 | UInt32(bytes[block + index * 4 + $1]) }
            }
            for index in 16..<80 {
                words.append(rotate(words[index - 3] ^ words[index - 8] ^ words[index - 14] ^ words[index - 16], 1))
            }
            var (a, b, c, d, e) = (hash[0], hash[1], hash[2], hash[3], hash[4])
            for index in 0..<80 {
                let (mixed, constant): (UInt32, UInt32) =
                    switch index {
                    case ..<20: (b & c | ~b & d, 0x5A82_7999)
                    case ..<40: (b ^ c ^ d, 0x6ED9_EBA1)
                    case ..<60: (b & c | b & d | c & d, 0x8F1B_BCDC)
                    default: (b ^ c ^ d, 0xCA62_C1D6)
                    }
                let next = rotate(a, 5) &+ mixed &+ e &+ constant &+ words[index]
                (a, b, c, d, e) = (next, a, rotate(b, 30), c, d)
            }
            for (index, value) in [a, b, c, d, e].enumerated() { hash[index] &+= value }
        }
        return hash.flatMap { word in [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: word >> $0) } }
    }

    private static func rotate(_ value: UInt32, _ count: UInt32) -> UInt32 { value << count | value >> (32 - count) }
}
