/// Log lines that wait to be written, bounded in bytes. Does no I/O.
///
/// A line that finds no room is dropped and counted, and so is every line after it until the queue is taken. The gap is
/// therefore in one place, right behind the lines that were taken, where the writer says how long it is.
struct LogQueue {
    /// What to write next.
    struct Batch: Equatable {
        /// Whole lines.
        var bytes: [UInt8]
        /// How many lines were dropped after these.
        var droppedLines: Int
    }

    private let capacity: Int
    private var waiting: [UInt8] = []
    private var dropped = 0
    /// Taken and not written yet. They count towards the capacity: a writer that stands still holds them in memory.
    private var bytesUnderWay = 0

    init(capacity: Int) {
        self.capacity = capacity
    }

    /// True when everything that was taken in has been written.
    var isDrained: Bool { waiting.isEmpty && dropped == 0 && bytesUnderWay == 0 }

    /// Takes a line in.
    /// - Returns: false where it was dropped.
    mutating func append(_ line: [UInt8]) -> Bool {
        guard dropped == 0, bytesUnderWay + waiting.count + line.count <= capacity else {
            dropped += 1
            return false
        }
        waiting.append(contentsOf: line)
        return true
    }

    /// Hands over all that waits, until ``finish()``; nil where nothing does.
    mutating func take() -> Batch? {
        guard !waiting.isEmpty || dropped > 0 else { return nil }
        defer {
            bytesUnderWay = waiting.count
            waiting = []
            dropped = 0
        }
        return Batch(bytes: waiting, droppedLines: dropped)
    }

    /// The batch that was taken last is written, or given up.
    mutating func finish() { bytesUnderWay = 0 }
}
