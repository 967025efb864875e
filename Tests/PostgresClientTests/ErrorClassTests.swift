import Testing

@testable import PostgresClient

/// What an error of the server means for the request and for the connection it came on.
@Suite(.timeLimit(.minutes(2))) struct ErrorClassTests {
    private func error(_ code: String, isFatal: Bool = false, isStalePlan: Bool = false) -> PostgresServerError {
        PostgresServerError(
            sqlState: SQLState(rawValue: code), message: "", isFatal: isFatal, isStalePlan: isStalePlan)
    }

    @Test(arguments: [
        "08000", "08003", "08006", "08P01", "25006", "25P01", "25P02", "25P03", "26000", "40001", "40P01", "53000",
        "53100", "53200", "53300", "53400", "55006", "55P03", "57000", "57014", "57P01", "57P02", "57P03", "57P05",
        "58000", "58030", "58P01", "42P05",
    ])
    func `transient errors may succeed later`(code: String) {
        #expect(error(code).isTransient)
        #expect(PostgresError.server(error(code)).isTransient)
    }

    @Test(arguments: ["22012", "22021", "23505", "23514", "42601", "42501", "42P01", "0A000", "XX000"])
    func `errors of the request are permanent`(code: String) {
        #expect(!error(code).isTransient && !error(code).makesConnectionUnusable)
        // A session that has ended has ended, whatever the server calls the reason.
        #expect(error(code, isFatal: true).isTransient && error(code, isFatal: true).makesConnectionUnusable)
    }

    @Test(arguments: ["08006", "08P01", "57P01", "57P02", "57P03", "57P05", "25006", "42P05"])
    func `errors that make the connection unusable`(code: String) {
        #expect(error(code).makesConnectionUnusable)
    }

    @Test(arguments: ["57014", "53100", "53200", "53300", "40001", "40P01", "55P03", "25P02", "58030"])
    func `errors that leave the connection usable`(code: String) {
        #expect(!error(code).makesConnectionUnusable)
    }

    @Test func `a stale plan is transient`() {
        #expect(error("0A000", isStalePlan: true).isTransient)
        #expect(!error("0A000", isStalePlan: true).makesConnectionUnusable)
    }

    @Test(arguments: [("08007", true), ("40003", true), ("40001", false), ("57P01", false), ("53100", false)])
    func `an outcome that the server does not know is unknown`(code: String, isUnknown: Bool) {
        #expect(PostgresError.server(error(code)).isOutcomeUnknown == isUnknown)
    }
}
