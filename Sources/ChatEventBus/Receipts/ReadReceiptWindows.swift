import ChatEvents
import CommonUtil
import DequeModule

/// How far somebody has read a room.
public struct ReadReceipt: Equatable, Sendable {
    public let roomID: RoomID
    public let userID: UserID
    public let lastReadSeq: Seq

    public init(roomID: RoomID, userID: UserID, lastReadSeq: Seq) {
        self.roomID = roomID
        self.userID = userID
        self.lastReadSeq = lastReadSeq
    }
}

/// Thins out the receipts of readers who scroll: the first is told at once and opens a window; at its end the furthest
/// that came meanwhile is told, which opens the next one. Pure: no I/O, the time is handed in.
struct ReadReceiptWindows {
    typealias Instant = ContinuousClock.Instant

    private struct Reader: Hashable {
        let roomID: RoomID
        let userID: UserID
    }

    private let length: Duration
    private let capacity: Int
    /// For each reader with an open window what is to be told at its end: 0 is nothing.
    private var waiting: [Reader: Seq] = [:]
    /// All windows are equally long, so they end in the order in which they were opened.
    private var ends: Deque<(at: Instant, reader: Reader)> = []

    init(length: Duration, capacity: Int) {
        self.length = length
        self.capacity = capacity
    }

    /// When there is next something to do; `nil` while no window is open.
    var nextEnd: Instant? { ends.first?.at }
    var count: Int { waiting.count }

    /// - Returns: whether the receipt is to be told now.
    mutating func note(_ receipt: ReadReceipt, at now: Instant) -> Bool {
        let reader = Reader(roomID: receipt.roomID, userID: receipt.userID)
        if let seq = waiting[reader] {
            waiting[reader] = max(seq, receipt.lastReadSeq)
            return false
        }
        // With so many readers at once repeats are the smaller part of them: memory is what must be kept in bounds.
        if waiting.count < capacity { open(reader, at: now) }
        return true
    }

    /// Closes the windows that have ended.
    /// - Returns: what is to be told now.
    mutating func close(at now: Instant) -> [ReadReceipt] {
        var receipts: [ReadReceipt] = []
        while let end = ends.first, end.at <= now {
            ends.removeFirst()
            guard let seq = waiting.removeValue(forKey: end.reader), seq > 0 else { continue }
            receipts.append(
                ReadReceipt(roomID: end.reader.roomID, userID: end.reader.userID, lastReadSeq: seq))
            open(end.reader, at: now)
        }
        return receipts
    }

    /// Closes all windows, ended or not.
    mutating func closeAll() -> [ReadReceipt] {
        defer {
            waiting.removeAll()
            ends.removeAll()
        }
        return ends.compactMap { _, reader in
            guard let seq = waiting[reader], seq > 0 else { return nil }
            return ReadReceipt(roomID: reader.roomID, userID: reader.userID, lastReadSeq: seq)
        }
    }

    private mutating func open(_ reader: Reader, at now: Instant) {
        waiting[reader] = 0
        ends.append((now + length, reader))
    }
}
