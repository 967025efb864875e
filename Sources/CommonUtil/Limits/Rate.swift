/// So many in a second or a minute, evenly; who has been quiet may do five times as many at once, or up to a bound.
public struct Rate: Equatable, Sendable {
    public enum Period: String, Sendable {
        case second = "s"
        case minute = "m"

        var duration: Duration { self == .second ? .seconds(1) : .seconds(60) }
    }

    /// `10/m` lets through 50 at once, `100/s` 500.
    static let burstFactor = 5
    private static let maximumCount = 1_000_000

    /// 0 stands for no limit.
    public let count: Int
    public let period: Period
    private let maximumBurst: Int

    /// - Parameter maximumBurst: where five times the rate would be too many at once.
    public init(_ count: Int, per period: Period, maximumBurst: Int = .max) {
        self.count = count
        self.period = period
        self.maximumBurst = maximumBurst
    }

    /// - Returns: `nil` for what is neither `N/s` nor `N/m` nor `0`.
    public init?(text: String, maximumBurst: Int = .max) {
        if text == "0" {
            self.init(0, per: .second)
            return
        }
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, let count = Int(parts[0]), (0...Self.maximumCount).contains(count),
            let period = Period(rawValue: String(parts[1]))
        else { return nil }
        self.init(count, per: period, maximumBurst: maximumBurst)
    }

    /// So many times as many, at once as well.
    public func multiplied(by factor: Int) -> Rate {
        let (burst, isTooMuch) = maximumBurst.multipliedReportingOverflow(by: factor)
        return Rate(count * factor, per: period, maximumBurst: isTooMuch ? .max : burst)
    }

    public var isUnlimited: Bool { count == 0 }
    /// How many are let through at once at most.
    public var burst: Int { min(count * Self.burstFactor, maximumBurst) }
    /// In which one more is let through.
    public var interval: Duration { isUnlimited ? .zero : period.duration / count }
    /// How many a process lets through before it tells the others: what a tenth of a second brings, at least one.
    public var share: Int { max(1, period == .second ? count / 10 : count / 600) }
}
