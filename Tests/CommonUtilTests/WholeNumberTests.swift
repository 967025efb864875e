import Testing

@testable import CommonUtil

@Suite("Whole numbers", .timeLimit(.minutes(2)))
struct WholeNumberTests {
    @Test(
        arguments: [
            ("0", 0), ("-0", 0), ("0.0", 0), ("0e999999999999", 0), ("-0.0e-5", 0), ("7", 7), ("7.0", 7),
            ("53323.000", 53_323), ("7e2", 700), ("7E+2", 700), ("700e-2", 7), ("1.25e2", 125), ("-3.0", -3),
            ("-1.5e1", -15), ("9007199254740993.0", 9_007_199_254_740_993),
            ("9223372036854775807", Int64.max), ("9223372036854775807.0", Int64.max),
            ("-9.223372036854775808e18", .min),
        ] as [(String, Int64)])
    func `numbers that are integers are read in any spelling`(text: String, value: Int64) {
        #expect(WholeNumber.value(ofNumber: text) == value)
    }

    @Test(arguments: [
        "0.5", "1.10", "125e-2", "1e-1", "7e-999999999999999999999", "9223372036854775808", "9223372036854775807.5",
        "1e19", "1e99999999999999999999", "1e9223372036854775807", "1.5e-9223372036854775808", "5e-1",
    ])
    func `numbers with a fraction or beyond 64 bits are refused`(text: String) {
        #expect(WholeNumber.value(ofNumber: text) == nil)
    }
}
