import DequeModule

/// The messages of a room that are shown: a window on the log without a gap, edits and deletions applied, own posts
/// that have no place in the log yet at its end. Pure: no I/O.
struct Timeline: Sendable {
    struct Page: Sendable, Equatable {
        let before: Int64
        let limit: Int
    }

    private static let maximumChangesDuringPage = 1000

    /// Whether the window ends at the end of the log.
    private(set) var isAtEnd = true
    /// Messages after the window.
    private(set) var newerCount = 0
    private let userID: Int64?
    private let keep: Int
    /// The newest messages, up to the end.
    private var tail: Deque<ShownMessage> = []
    /// The window if it is not at the end; otherwise the tail is shown.
    private var window: [ShownMessage] = []
    /// Every message from this `seq` on is in the window, or in the tail if that is shown.
    private var start: Int64 = 1
    private var tailStart: Int64 = 1
    private var posts: [OwnPost] = []
    private var through: Int64
    /// Changes that came while a page of history was under way, which may have been read before them.
    private var changes: [Int64: Message]?
    private var isPageStale = false
    private var page: Page?

    /// - Parameters:
    ///   - from: the stored events begin after it.
    ///   - through: the log is known up to it.
    init(userID: Int64?, keep: Int = 1000, from: Int64, through: Int64, events: [ChatEvent] = []) {
        self.userID = userID
        self.keep = keep
        self.through = from
        begin(from)
        for event in events { apply(event) }
        self.through = through
    }

    /// Drops everything: the log continues after `seq`.
    mutating func begin(_ seq: Int64) {
        (tail, window) = ([], [])
        (start, tailStart, through) = (seq + 1, seq + 1, seq)
        (isAtEnd, newerCount) = (true, 0)
        pageFailed()
    }

    var hasMore: Bool { start > 1 }

    /// Ascending, own posts last.
    var messages: [ShownMessage] {
        guard isAtEnd else { return window }
        guard !posts.isEmpty else { return Array(tail) }
        let shown = Set(tail.map(\.key))
        let waiting = posts.filter { post in
            !(post.seq.map { $0 <= through } ?? false) && !shown.contains(ShownMessage.key(ofPost: post.key))
        }
        return tail + waiting.filter { $0.seq != nil }.map { ShownMessage($0) }
            + waiting.filter { $0.seq == nil }.map { ShownMessage($0) }
    }

    /// The own message with this key, if it is held here.
    func ownMessage(_ key: String) -> Message? {
        let key = ShownMessage.key(ofPost: key)
        return tail.last { $0.key == key }?.message ?? window.last { $0.key == key }?.message
    }

    /// Applies the next event of the log.
    mutating func apply(_ event: ChatEvent) {
        through = event.seq
        switch event {
        case .message(let message): append(ShownMessage(message, ofUser: userID))
        case .messageEdited(let message), .messageDeleted(let message): change(message)
        default: break
        }
    }

    /// A message has changed: by an event, or by the response to an edit, which may come before its event.
    mutating func change(_ message: Message) {
        if let known = changes {
            if known[message.messageID].map({ message.isOlder(than: $0) }) ?? false {
                // Another change of the same message has come before it.
            } else if known.count < Self.maximumChangesDuringPage {
                changes?[message.messageID] = message
            } else {
                isPageStale = true
            }
        }
        if let index = tail.lastIndex(where: { $0.message?.messageID == message.messageID }) {
            tail[index] = changed(tail[index], by: message)
        }
        if let index = window.lastIndex(where: { $0.message?.messageID == message.messageID }) {
            window[index] = changed(window[index], by: message)
        }
    }

    /// A deleted message stays deleted, and the newest edit stays: the response to an older edit may come later.
    private func changed(_ entry: ShownMessage, by change: Message) -> ShownMessage {
        guard let known = entry.message, !known.isDeleted, !change.isOlder(than: known) else { return entry }
        return entry.changed(by: change)
    }

    /// Own posts that the log may not have yet, in their order.
    mutating func setPosts(_ posts: [OwnPost]) { self.posts = posts }

    /// The own post with this key, as long as the log may not have it yet.
    func post(_ key: String) -> OwnPost? { posts.first { $0.key == key } }

    // MARK: History

    /// The page to fetch; `nil` if there is nothing more, or one is under way.
    mutating func loadOlder(_ limit: Int) -> Page? {
        guard hasMore, changes == nil else { return nil }
        changes = [:]
        isPageStale = false
        page = Page(before: start, limit: limit)
        return page
    }

    /// The page has arrived.
    /// - Returns: the page to fetch instead, if this one is out of date.
    mutating func page(_ items: [Message], hasMore: Bool, of asked: Page) -> Page? {
        guard asked == page, let changes else { return nil }
        if isPageStale {
            pageFailed()
            return loadOlder(asked.limit)
        }
        let older = items.filter { $0.seq < start }.sorted { $0.seq < $1.seq }.map { item in
            let entry = ShownMessage(item, ofUser: userID)
            return changes[item.messageID].map { changed(entry, by: $0) } ?? entry
        }
        pageFailed()
        start = hasMore ? older.first?.message?.seq ?? 1 : 1
        var shown = older + (isAtEnd ? Array(tail) : window)
        let surplus = shown.count - keep
        if surplus > 0 {
            isAtEnd = false
            newerCount += surplus
            shown.removeLast(surplus)
        }
        if isAtEnd {
            tail = Deque(shown)
            tailStart = start
        } else {
            window = shown
        }
        return nil
    }

    /// Whether a page is under way.
    var isLoading: Bool { changes != nil }

    /// The page could not be read. A newer one that was requested since is still under way.
    mutating func pageFailed(_ asked: Page) {
        if asked == page { pageFailed() }
    }

    mutating func pageFailed() {
        changes = nil
        isPageStale = false
        page = nil
    }

    mutating func toEnd() {
        guard !isAtEnd else { return }
        pageFailed()
        window = []
        start = tailStart
        (isAtEnd, newerCount) = (true, 0)
    }

    private mutating func append(_ entry: ShownMessage) {
        tail.append(entry)
        if tail.count > keep {
            tail.removeFirst()
            tailStart = tail.first?.message?.seq ?? tailStart
            if isAtEnd {
                start = tailStart
                pageFailed()
            }
        }
        if !isAtEnd { newerCount += 1 }
    }
}
