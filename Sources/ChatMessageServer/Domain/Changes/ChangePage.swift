import ChatEvents
import ChatStorage
import CommonUtil

/// A page of the feed of changes: `{items: [{cursor, event}], next, hasMore}`, at most 1 MiB but for a single event.
struct ChangePage: JSONEncodable {
    static let maximumBytes = 1 << 20
    /// The page without its items.
    private static let overhead = 128
    /// Events that are read at once. Their size is known only when they are there, and each can have 128 KiB.
    private static let firstRead = 100
    private static let largestRead = 1_000

    /// The place after everything that was read for the page.
    private(set) var next: ChangePosition
    /// Whether there is more to read now. With a filter it may be nothing that the reader wants.
    var hasMore = false
    private let limit: Int
    /// The last place that may be in the page.
    private let end: ChangePosition?
    private var items: [[UInt8]] = []
    private var bytes = overhead
    private var isCut = false

    /// An empty page.
    /// - Parameters:
    ///   - place: where it begins.
    ///   - limit: of events.
    ///   - end: the last place that may be in it; `nil` for no such bound.
    init(after place: ChangePosition, limit: Int, end: ChangePosition? = nil) {
        next = place
        self.limit = limit
        self.end = end
    }

    var count: Int { items.count }
    var isEmpty: Bool { items.isEmpty }
    /// Whether no further event fits.
    var isFull: Bool { isCut || items.count >= limit }

    /// Events to read next: no more than are likely to fit.
    var wanted: Int {
        let free = limit - items.count
        guard !items.isEmpty else { return min(free, Self.firstRead) }
        let fitting = (Self.maximumBytes - bytes) / (bytes / items.count + 1) + 1
        return max(1, min(free, fitting, Self.largestRead))
    }

    /// Adds an event, unless the page is full.
    mutating func append(_ item: ChangeRepository.Item) {
        guard !isFull else { return }
        if let end, item.position.isAfter(end) {
            isCut = true
            return
        }
        var writer = JSONWriter()
        writer.object { writer in
            writer.member(EventKey.cursor, ChangeCursor.text(of: item.position))
            writer.member("event", item.change)
        }
        guard items.isEmpty || bytes + writer.bytes.count + 1 <= Self.maximumBytes else {
            isCut = true
            return
        }
        items.append(writer.bytes)
        bytes += writer.bytes.count + 1
        next = item.position
    }

    /// Moves on: everything up to there was read, and the page has what the reader wants of it.
    mutating func advance(to place: ChangePosition) {
        guard !isCut, place.isAfter(next) else { return }
        next = place
    }

    func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writeItems(to: &writer)
            writer.member("next", ChangeCursor.text(of: next))
            writer.member("hasMore", hasMore)
        }
    }

    /// Writes the member `items`.
    func writeItems(to writer: inout JSONWriter) {
        writer.key("items")
        writer.array(items) { $0.raw($1) }
    }
}
