/// The table. Sections as in Autobahn's suite.
enum ConformanceCases {
    static let all = framing + pings + reserved + opcodes + fragmentation + utf8 + closing + limits

    private static func frame(
        _ opcode: UInt8, _ payload: [UInt8] = [], final isFinal: Bool = true, reserved: UInt8 = 0
    ) -> [UInt8] {
        ClientFrameBytes(opcode: opcode, payload: payload, isFinal: isFinal, reserved: reserved).bytes
    }

    private static func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

    // MARK: 1, 2

    private static let framing: [ConformanceCase] = [0, 125, 126, 127, 128, 65_535, 65_536].flatMap { size in
        let payload = [UInt8](repeating: UInt8(ascii: "*"), count: size)
        let binary = [UInt8](repeating: 0xFE, count: size)
        let steps = size > 1_000 ? [Int.max, 997] : [Int.max, 1, 2, 3, 7, 997]
        return steps.flatMap { step in
            [
                ConformanceCase(
                    "1.1 text of \(size) by \(step)", frame(1, payload), step: step,
                    answers: [ServerFrame.text(payload)]),
                ConformanceCase(
                    "1.2 binary of \(size) by \(step)", frame(2, binary), step: step,
                    answers: [ServerFrame.binary(binary)]),
            ]
        }
    }

    private static let pings: [ConformanceCase] =
        [[], bytes("Hello, world!"), [0, 0xFF, 0xFE, 0xFD, 0xFC, 0], .init(repeating: 0xFE, count: 125)].flatMap {
            payload in
            [Int.max, 1].map { step in
                ConformanceCase(
                    "2 ping of \(payload.count) by \(step)", frame(9, payload), step: step,
                    answers: [ServerFrame.pong(payload)])
            }
        } + [
            ConformanceCase("2.5 ping of 126", frame(9, .init(repeating: 0xFE, count: 126)), ending: .close(1002)),
            ConformanceCase("2.7 unsolicited pong", frame(10)),
            ConformanceCase("2.8 unsolicited pong with payload", frame(10, bytes("unsolicited"))),
            ConformanceCase(
                "2.9 unsolicited pong, then ping", frame(10, bytes("x")) + frame(9, bytes("y")),
                answers: [ServerFrame.pong(bytes("y"))]),
            ConformanceCase(
                "2.10 ten pings", (0..<10).flatMap { frame(9, [$0]) }, answers: (0..<10).map { ServerFrame.pong([$0]) }),
            ConformanceCase(
                "2.11 ten pings octet by octet", (0..<10).flatMap { frame(9, [$0]) }, step: 1,
                answers: (0..<10).map { ServerFrame.pong([$0]) }),
        ]

    // MARK: 3, 4

    private static let reserved: [ConformanceCase] = (1...7).flatMap { bits in
        [0x0, 0x1, 0x2, 0x8, 0x9, 0xA].flatMap { opcode in
            [Int.max, 1].map { step in
                ConformanceCase(
                    "3 reserved bits \(bits), opcode \(opcode), by \(step)",
                    frame(1, bytes("first")) + frame(opcode, bytes("ok"), reserved: UInt8(bits << 4)), step: step,
                    answers: [ServerFrame.text(bytes("first"))], ending: .close(1002))
            }
        }
    }

    private static let opcodes: [ConformanceCase] = ([3, 4, 5, 6, 7, 11, 12, 13, 14, 15] as [UInt8]).flatMap { opcode in
        [[], bytes("reserved")].flatMap { payload in
            [Int.max, 1].map { step in
                ConformanceCase(
                    "4 opcode \(opcode) with \(payload.count) by \(step)",
                    frame(1, bytes("first")) + frame(opcode, payload), step: step,
                    answers: [ServerFrame.text(bytes("first"))], ending: .close(1002))
            }
        }
    }

    // MARK: 5

    private static let fragmentation: [ConformanceCase] = [Int.max, 1, 5].flatMap { step in
        let first = frame(1, bytes("frag1"), final: false)
        let last = frame(0, bytes("frag2"))
        let whole = ServerFrame.text(bytes("frag1frag2"))
        func good(_ name: String, _ bytes: [UInt8], _ answers: [[UInt8]]) -> ConformanceCase {
            ConformanceCase("5 \(name) by \(step)", bytes, step: step, answers: answers)
        }
        func bad(_ name: String, _ bytes: [UInt8], _ answers: [[UInt8]] = []) -> ConformanceCase {
            ConformanceCase("5 \(name) by \(step)", bytes, step: step, answers: answers, ending: .close(1002))
        }
        return [
            bad("ping in fragments", frame(9, bytes("a"), final: false) + frame(0, bytes("b"))),
            bad("pong in fragments", frame(10, bytes("a"), final: false) + frame(0, bytes("b"))),
            bad("close in fragments", frame(8, [0x03], final: false) + frame(0, [0xE8])),
            good("text in two", first + last, [whole]),
            good(
                "binary in two", frame(2, [0xFF], final: false) + frame(0, [0xFE]), [ServerFrame.binary([0xFF, 0xFE])]),
            good("a ping between", first + frame(9, bytes("p")) + last, [ServerFrame.pong(bytes("p")), whole]),
            good("a pong between", first + frame(10, bytes("p")) + last, [whole]),
            good(
                "pings between all", first + frame(9, [1]) + frame(0, final: false) + frame(9, [2]) + last,
                [ServerFrame.pong([1]), ServerFrame.pong([2]), whole]),
            good(
                "nothing in three", frame(1, final: false) + frame(0, final: false) + frame(0), [ServerFrame.text([])]),
            bad("a continuation of nothing", frame(0, bytes("x")) + frame(1, bytes("y"))),
            bad("an open continuation of nothing", frame(0, bytes("x"), final: false) + frame(1, bytes("y"))),
            bad("a text within a text", first + frame(1, bytes("y"))),
            bad("a binary within a text", first + frame(2, bytes("y"))),
            bad("a text within a binary", frame(2, [1], final: false) + frame(1, bytes("y"))),
            bad("a continuation too many", first + last + last, [whole]),
            good("two in a row", first + last + first + last, [whole, whole]),
        ]
    }

    // MARK: 6

    private static let utf8: [ConformanceCase] =
        (UTF8Samples.valid + [bytes("κόσμε"), bytes("Hello-µ@ßöäüàá-UTF-8!!")]).flatMap { sample in
            shapes(sample).map {
                ConformanceCase("6 valid \(sample), \($0)", pieces: $1, answers: [ServerFrame.text(sample)])
            }
        }
        + (UTF8Samples.invalid + UTF8Samples.truncated).flatMap { sample in
            shapes(bytes("κ") + sample).map {
                ConformanceCase("6 invalid \(sample), \($0)", pieces: $1, ending: .close(1007))
            }
        }
        + UTF8Samples.invalid.flatMap { sample in
            // Neither the message nor, in the second, the frame is complete: the answer must not wait (6.4).
            let start = bytes("κόσμε") + sample
            let promised = ClientFrameBytes(payload: start + .init(repeating: 0x20, count: 1_000)).bytes
            return [
                ConformanceCase(
                    "6.4 fails fast in a fragment, \(sample)", frame(1, start, final: false), ending: .close(1007)),
                ConformanceCase(
                    "6.4 fails fast in a frame, \(sample)", Array(promised.prefix(8 + start.count)),
                    ending: .close(1007)),
                ConformanceCase(
                    "6.4 fails fast octet by octet, \(sample)", Array(promised.prefix(8 + start.count)), step: 1,
                    ending: .close(1007)),
            ]
        }

    /// One text in one frame, octet by octet, in fragments of one octet, and with pings between those.
    private static func shapes(_ sample: [UInt8]) -> [(name: String, pieces: [[UInt8]])] {
        let whole = frame(1, sample)
        var fragments = [frame(1, final: false)] + sample.map { frame(0, [$0], final: false) }
        fragments.append(frame(0))
        return [
            ("whole", [whole]), ("by octets", whole.map { [$0] }), ("in fragments", [fragments.flatMap { $0 }]),
            ("in fragments, octet by octet", fragments.flatMap { $0 }.map { [$0] }),
        ]
    }

    // MARK: 7

    private static let closing: [ConformanceCase] =
        ([1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999] as [UInt16])
        .flatMap {
            code in
            [[], bytes("Grüße"), .init(repeating: 0x2A, count: 123)].map { reason in
                ConformanceCase(
                    "7.7 code \(code), reason of \(reason.count)", close(code, reason), ending: .close(code))
            }
        }
        + ([0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535] as [UInt16]).map { code in
            ConformanceCase("7.9 code \(code)", close(code), ending: .close(1002))
        }
        + (UTF8Samples.invalid + UTF8Samples.truncated).map { sample in
            ConformanceCase("7.5 reason \(sample)", close(1000, bytes("x") + sample), ending: .close(1007))
        } + [
            ConformanceCase("7.3.1 empty", close(nil), ending: .close(nil)),
            ConformanceCase("7.3.2 one octet", close(nil, [0x03]), ending: .close(1002)),
            ConformanceCase("7.3.6 of 126", close(1000, .init(repeating: 0x2A, count: 124)), ending: .close(1002)),
            ConformanceCase(
                "7.1.1 after a message", text("Hello") + close(1000), answers: [ServerFrame.text(bytes("Hello"))],
                ending: .close(1000)),
            ConformanceCase("7.1.2 twice", close(1000) + close(1001), ending: .close(1000)),
            ConformanceCase("7.1.3 then a ping", close(1000) + ping("x"), ending: .close(1000)),
            ConformanceCase("7.1.4 then a text", close(1000) + text("x"), ending: .close(1000)),
            ConformanceCase("7.1.4 then garbage", close(1000) + [0xFF, 0xFF, 0xFF], ending: .close(1000)),
            ConformanceCase("7.1.5 within a text", text("x", isFinal: false) + close(1000), ending: .close(1000)),
            ConformanceCase("7 after a violation", frame(3) + close(1000) + ping(), ending: .close(1002)),
        ]

    // MARK: 9, 10 and RFC 6455 itself

    private static let limits: [ConformanceCase] = {
        let full = [UInt8](repeating: UInt8(ascii: "*"), count: 65_536)
        let whole = ServerFrame.text(full)
        func fragments(of size: Int, _ payload: [UInt8]) -> [UInt8] {
            var bytes = frame(1, Array(payload.prefix(size)), final: payload.count <= size)
            for start in stride(from: size, to: payload.count, by: size) {
                let end = min(start + size, payload.count)
                bytes += frame(0, Array(payload[start..<end]), final: end == payload.count)
            }
            return bytes
        }
        return [64, 256, 1_024, 1_300, 4_096, 65_535].flatMap { size in
            [
                ConformanceCase(
                    "9, 10.1 fragments of \(size)", fragments(of: size, full), step: 8_192, answers: [whole]),
                ConformanceCase(
                    "9 fragments of \(size), too long", fragments(of: size, full + [0x2A]), ending: .close(1009)),
            ]
        } + [
            ConformanceCase("5.2 of 65,537", frame(1, full + [0x2A]), ending: .close(1009)),
            ConformanceCase("5.2 binary of 65,537", frame(2, full + [0x2A]), ending: .close(1009)),
            ConformanceCase(
                "5.2 the header alone is enough",
                Array(ClientFrameBytes(form: .sixtyFourBits, claimedLength: 1 << 40).bytes.prefix(10)),
                ending: .close(1009)),
            ConformanceCase(
                "5.2 a negative length", ClientFrameBytes(form: .sixtyFourBits, claimedLength: .max).bytes,
                ending: .close(1002)),
            ConformanceCase(
                "5.2 a length written too long", ClientFrameBytes(payload: [0x2A], form: .sixteenBits).bytes,
                ending: .close(1002)),
        ]
            + ([0, 1, 2, 8, 9, 10] as [UInt8]).map { opcode in
                ConformanceCase(
                    "5.1 opcode \(opcode) without a mask",
                    ClientFrameBytes(opcode: opcode, payload: [3, 0xE8], mask: nil).bytes,
                    ending: .close(1002))
            }
    }()
}
