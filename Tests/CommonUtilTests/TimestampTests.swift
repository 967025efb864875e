import CommonUtil
import FoundationEssentials
import Testing

@Suite(.timeLimit(.minutes(2))) struct TimestampTests {
    @Test(
        arguments: [
            (0, "1970-01-01T00:00:00.000Z"), (1_795_366_606_123_999, "2026-11-22T16:56:46.123Z"),
            (951_782_399_000_000, "2000-02-28T23:59:59.000Z"), (951_782_400_000_000, "2000-02-29T00:00:00.000Z"),
            (951_868_800_000_000, "2000-03-01T00:00:00.000Z"), (4_107_542_399_999_999, "2100-02-28T23:59:59.999Z"),
            (4_107_542_400_000_000, "2100-03-01T00:00:00.000Z"), (-1, "1969-12-31T23:59:59.999Z"),
            (-62_135_596_800_000_000, "0001-01-01T00:00:00.000Z"),
            (253_402_300_799_999_999, "9999-12-31T23:59:59.999Z"),
        ] as [(Int64, String)])
    func `a time is written and read in RFC 3339`(microseconds: Int64, text: String) {
        #expect(Timestamp(microseconds: microseconds).description == text)
    }

    /// From 1586 on; before 1582 Foundation counts in the Julian calendar, as PostgreSQL does not.
    @Test func `dates agree with Foundation on every few days`() {
        for day in stride(from: Int64(-140_000), through: 200_000, by: 97) {
            let date = Date(timeIntervalSince1970: Double(day * 86_400))
            let expected = date.formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
            #expect(Timestamp(microseconds: day * 86_400_000_000).description == expected)
        }
    }

    @Test func `seconds are rounded down`() {
        #expect(Timestamp(microseconds: 1_999_999).seconds == 1)
        #expect(Timestamp(microseconds: -1).seconds == -1)
        #expect(Timestamp(microseconds: -1_000_000).seconds == -1)
        #expect(Timestamp(microseconds: 1) < Timestamp(microseconds: 2))
    }

    @Test(
        arguments: [
            ("2026-11-22T16:56:46Z", "2026-11-22T16:56:46.000Z"),
            ("2026-11-22T16:56:46.1Z", "2026-11-22T16:56:46.100Z"),
            ("2026-11-22T16:56:46.123999Z", "2026-11-22T16:56:46.123Z"),
            // As Python's `isoformat()` has it.
            ("2026-11-22T16:56:46+00:00", "2026-11-22T16:56:46.000Z"),
            ("2026-11-22T16:56:46.123456+00:00", "2026-11-22T16:56:46.123Z"),
            ("2026-11-22T16:56:46+01:00", nil), ("2026-11-22T16:56:46-00:00", nil), ("2026-11-22T16:56:46", nil),
            ("2026-11-22T16:56:46Z+00:00", nil), ("2026-11-22T16:56:46.Z", nil), ("2026-02-29T00:00:00Z", nil),
            ("2026-11-22 16:56:46Z", nil), ("Z", nil), ("+00:00", nil), ("", nil),
            ("2026-11-22T16:56:46.\(String(repeating: "1", count: 21))Z", nil),
        ] as [(String, String?)])
    func `a client's time is in UTC, with or without a fraction`(text: String, expected: String?) {
        #expect(Timestamp(rfc3339: text)?.description == expected)
    }
}
