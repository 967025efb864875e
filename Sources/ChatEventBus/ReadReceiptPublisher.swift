import ChatEvents
import CommonUtil
import DequeModule
import ServiceLifecycle
import Synchronization

/// Publishes how far users have read. Others in the room get for each user the first receipt at once, and then at most
/// one a second, the furthest.
///
/// The user's own devices get each move of a stored mark at once, so that the versions of the user have no gap. There are
/// no more of those than events in the room, since marks only move forward, and each costs less than storing it.
///
/// Start it after the client of its ``EventPublisher``, so that it stops first.
public final class ReadReceiptPublisher: Service {
    private let windows: Mutex<ReadReceiptWindows>
    private let publish: @Sendable (EphemeralEvent) -> Void
    private let publishChange: @Sendable (UserChange) -> Void
    private let (opened, opener) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))

    /// - Parameters:
    ///   - interval: between two receipts of one user in one room.
    ///   - capacity: users and rooms whose receipts are limited at a time; further receipts are published as they come.
    ///   - publish: publishes an event. Must not block.
    ///   - publishChange: publishes a move of a mark to the user's own devices. Must not block.
    public init(
        interval: Duration = .seconds(1), capacity: Int = 65_536, publish: @escaping @Sendable (EphemeralEvent) -> Void,
        publishChange: @escaping @Sendable (UserChange) -> Void = { _ in }
    ) {
        windows = Mutex(ReadReceiptWindows(length: interval, capacity: capacity))
        self.publish = publish
        self.publishChange = publishChange
    }

    /// - Parameter publisher: publishes the receipts.
    public convenience init(_ publisher: EventPublisher) {
        self.init(publish: { publisher.publish($0) }, publishChange: { publisher.publish([$0]) })
    }

    /// Publishes a receipt, now or at the end of its window, and at once to the user's own devices. Returns at once.
    public func note(_ receipt: ReadReceipt) {
        if let version = receipt.version {
            publishChange(
                UserChange(
                    userID: receipt.userID, version: version, roomID: receipt.roomID, kind: .read,
                    seq: receipt.lastReadSeq))
        }
        let (isDue, isFirst) = windows.withLock { windows in
            let wasIdle = windows.nextEnd == nil
            return (windows.note(receipt, at: .now), wasIdle && windows.nextEnd != nil)
        }
        if isFirst { opener.yield() }
        if isDue { publish([receipt]) }
    }

    /// Publishes receipts at the ends of their windows until graceful shutdown, and then all that wait.
    public func run() async throws {
        await cancelWhenGracefulShutdown {
            for await _ in self.opened {
                while let end = self.windows.withLock(\.nextEnd) {
                    guard (try? await Task.sleep(until: end, clock: .continuous)) != nil else { return }
                    self.publish(self.windows.withLock { $0.close(at: .now) })
                }
            }
        }
        publish(windows.withLock { $0.closeAll() })
    }

    private func publish(_ receipts: [ReadReceipt]) {
        for receipt in receipts {
            publish(.read(receipt.roomID, receipt.userID, lastReadSeq: receipt.lastReadSeq, at: .now))
        }
    }
}

/// A user's read mark in a room, to be published.
public struct ReadReceipt: Equatable, Sendable {
    public let roomID: RoomID
    public let userID: UserID
    /// The last `seq` that is read.
    public let lastReadSeq: Seq
    /// The user's version with this mark; `nil` if the mark is not stored.
    public let version: Int64?

    /// Describes a read mark.
    public init(roomID: RoomID, userID: UserID, lastReadSeq: Seq, version: Int64? = nil) {
        self.roomID = roomID
        self.userID = userID
        self.lastReadSeq = lastReadSeq
        self.version = version
    }
}

/// Limits the receipts of users who scroll: the first is published at once and opens a window; at its end the furthest
/// receipt of the window is published, which opens the next one. Pure: no I/O, the time is passed in.
struct ReadReceiptWindows {
    typealias Instant = ContinuousClock.Instant

    private struct Reader: Hashable {
        let roomID: RoomID
        let userID: UserID
    }

    private let length: Duration
    private let capacity: Int
    /// The `seq` to publish at the end of each open window; 0 for none.
    private var waiting: [Reader: Seq] = [:]
    /// All windows are equally long, so they end in the order in which they were opened.
    private var ends: Deque<(at: Instant, reader: Reader)> = []

    init(length: Duration, capacity: Int) {
        self.length = length
        self.capacity = capacity
    }

    /// The end of the next window; `nil` while none is open.
    var nextEnd: Instant? { ends.first?.at }
    var count: Int { waiting.count }

    /// Takes a receipt.
    /// - Returns: whether to publish it now.
    mutating func note(_ receipt: ReadReceipt, at now: Instant) -> Bool {
        let reader = Reader(roomID: receipt.roomID, userID: receipt.userID)
        if let seq = waiting[reader] {
            waiting[reader] = max(seq, receipt.lastReadSeq)
            return false
        }
        // Beyond the capacity memory is bounded, not the number of receipts: few of them are repeats then.
        if waiting.count < capacity { open(reader, at: now) }
        return true
    }

    /// Closes the windows that have ended.
    /// - Returns: the receipts to publish now.
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
    /// - Returns: the receipts to publish now.
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
