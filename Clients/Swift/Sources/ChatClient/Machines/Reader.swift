import DequeModule

/// One `room.events(…)`: every event of a room's log from a position on, in order, at the pace of the consumer. Live
/// events are held as long as there is room; the others are read from the log when they are needed. Pure: no I/O.
struct Reader: Sendable {
    enum Action: Sendable, Equatable {
        case begin(LogPosition)
        case give(ChatEvent)
        case getEvents(LogPosition)
        /// A page could not be read: ``pauseEnded()`` is to be called after a pause.
        case retry
        case done
        case failed(ChatError.Code)
    }

    static let maximumHeld = 256

    /// The position of the last event that was delivered; `nil` until the start is known.
    private(set) var position: LogPosition?
    private var held: Deque<ChatEvent> = []
    /// The `seq` of the last event held or delivered.
    private var last: Int64 = 0
    /// The highest `seq` known to exist.
    private var known: Int64 = 0
    private var isBehind = false
    private var isAsked = false
    private var isReading = false
    /// Between `retry` and ``pauseEnded()``.
    private var isPausing = false
    private var end: Action?

    /// Begins after a position.
    init(after position: LogPosition) { begin(position, isBehind: true) }

    /// Begins at the head, once that is known.
    init(head: LogPosition?) {
        if let head { begin(head, isBehind: false) }
    }

    private mutating func begin(_ position: LogPosition, isBehind: Bool) {
        self.position = position
        (last, known) = (position.seq, position.seq)
        self.isBehind = isBehind
    }

    mutating func head(_ head: LogPosition) -> [Action] {
        guard position == nil else { return [] }
        begin(head, isBehind: false)
        return [.begin(head)] + advance()
    }

    /// The application asks for the next event.
    mutating func next() -> [Action] {
        isAsked = true
        return advance()
    }

    /// A live event of the room.
    mutating func event(_ event: ChatEvent) -> [Action] {
        guard position != nil, end == nil else { return [] }
        let seq = event.seq
        known = max(known, seq)
        if seq == last &+ 1, held.count < Self.maximumHeld, !isReading {
            hold(event, seq)
        } else if seq > last {
            isBehind = true
        }
        return advance()
    }

    /// A page of the log after the position that was asked for.
    mutating func page(_ items: [ChatEvent], hasMore: Bool) -> [Action] {
        guard isReading else { return [] }
        isReading = false
        for event in items {
            let seq = event.seq
            if seq <= last { continue }
            if seq != last &+ 1 { break }
            hold(event, seq)
        }
        // An empty page of a log that is known to continue: the same page at once would be a loop without a pause.
        if held.isEmpty, hasMore || last < known { return end == nil ? retry() : finish() }
        isBehind = hasMore || last < known
        return advance()
    }

    mutating func pageFailed(status: Int?, code: ChatError.Code?) -> [Action] {
        guard isReading else { return [] }
        isReading = false
        if code == .logMismatch { return fail(.logMismatch) }
        // The user may no longer read the log.
        if status == 403 || status == 404 { return finish() }
        // The same call would have the same response forever.
        if let status, ChatError.isFinal(status: status) { return fail(code ?? .protocol) }
        return retry()
    }

    mutating func pauseEnded() -> [Action] {
        isPausing = false
        return advance()
    }

    /// Live events are missing from here on; they are in the log.
    mutating func missed() -> [Action] {
        guard position != nil else { return [] }
        isBehind = true
        return advance()
    }

    /// The server has another log. Whether that log has this position is known from the next page.
    mutating func reset() -> [Action] {
        guard let position else { return [] }
        held = []
        (last, known) = (position.seq, position.seq)
        isReading = false
        isBehind = true
        if position.seq > 0, position.mark == nil { return fail(.logMismatch) }
        return advance()
    }

    /// No live event follows: the reader ends with the last event that may be read.
    mutating func removed() -> [Action] {
        end = end ?? .done
        return advance()
    }

    /// Ends at once.
    mutating func close() -> [Action] {
        held = []
        return finish()
    }

    private mutating func fail(_ code: ChatError.Code) -> [Action] {
        held = []
        isBehind = false
        end = .failed(code)
        return advance()
    }

    private mutating func finish() -> [Action] {
        end = end ?? .done
        isBehind = false
        return advance()
    }

    private mutating func retry() -> [Action] {
        isPausing = true
        return [.retry]
    }

    private mutating func hold(_ event: ChatEvent, _ seq: Int64) {
        held.append(event)
        last = seq
    }

    private mutating func advance() -> [Action] {
        guard isAsked, !isReading else { return [] }
        if let event = held.popFirst() {
            isAsked = false
            position = event.position
            return [.give(event)]
        }
        if isBehind, let position {
            guard !isPausing else { return [] }
            isReading = true
            return [.getEvents(position)]
        }
        guard let end else { return [] }
        isAsked = false
        return [end]
    }
}
