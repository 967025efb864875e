/// Decides which of many refusals are worth a line: the first few of each kind in a second, then their number. Reads no
/// clock.
struct RefusalSampler {
    typealias Instant = ContinuousClock.Instant

    /// What refusals are told apart by. Each has few values, whatever clients send.
    struct Kind: Hashable {
        var method: String
        /// The route's template.
        var route: String
        var status: Int
    }

    private struct Window {
        let end: Instant
        var count = 0
    }

    static let length = Duration.seconds(1)
    /// Kinds that are told apart at a time; what is beyond them is counted as one.
    static let maximumKinds = 256
    private static let others = "others"

    private let linesPerWindow: Int
    private var windows: [Kind: Window] = [:]

    init(linesPerWindow: Int = 5) {
        self.linesPerWindow = linesPerWindow
    }

    /// When ``close(now:)`` has something to do.
    private(set) var nextEnd: Instant?

    /// - Returns: whether this one gets a line of its own.
    mutating func admits(_ kind: Kind, now: Instant) -> Bool {
        var kind = kind
        if windows[kind] == nil, windows.count >= Self.maximumKinds {
            kind = Kind(method: Self.others, route: Self.others, status: kind.status)
        }
        var window = windows[kind] ?? Window(end: now + Self.length)
        window.count += 1
        windows[kind] = window
        nextEnd = nextEnd ?? window.end
        return window.count <= linesPerWindow
    }

    /// Ends the windows whose time is over.
    /// - Returns: how many refusals of each kind got no line, where there were any.
    mutating func close(now: Instant) -> [(kind: Kind, count: Int)] {
        let over = windows.filter { $0.value.end <= now }
        for kind in over.keys { windows[kind] = nil }
        nextEnd = windows.values.lazy.map(\.end).min()
        return over.filter { $0.value.count > linesPerWindow }.map { ($0.key, $0.value.count - linesPerWindow) }
    }
}
