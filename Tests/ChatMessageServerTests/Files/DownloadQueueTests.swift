import CommonUtil
import Testing

@testable import ChatMessageServer

@Suite(.timeLimit(.minutes(1))) struct DownloadQueueTests {
    private let start = ContinuousClock.now
    private let ann = DownloadReader.user(UserID(1))
    private let bob = DownloadReader.user(UserID(2))
    private let house = DownloadReader.address("192.0.2.1")

    private func queue(
        active: Int = 4, perUser: Int = 2, perAddress: Int = 3, waiting: Int = 3, waitingPerReader: Int = 2
    ) -> DownloadQueue {
        var limits = DownloadQueue.Limits()
        (limits.active, limits.perUser, limits.perAddress) = (active, perUser, perAddress)
        (limits.waiting, limits.waitingPerReader) = (waiting, waitingPerReader)
        return DownloadQueue(limits)
    }

    @Test func `a reader has so many at a time, and others begin meanwhile`() {
        var queue = queue()
        #expect(queue.add(1, of: ann) == .begins && queue.add(2, of: ann) == .begins)
        #expect(queue.add(3, of: ann) == .waits)
        #expect(queue.add(4, of: bob) == .begins)
        #expect(queue.activeCount == 3 && queue.waitingCount == 1)
        #expect(queue.end(4).isEmpty)
        #expect(queue.end(1) == [3])
        #expect(queue.waitingCount == 0)
    }

    @Test func `an address has more than a user, the installation half of all`() {
        var queue = queue()
        for id in 0..<3 { #expect(queue.add(id, of: house) == .begins) }
        #expect(queue.add(3, of: house) == .waits)
        var other = self.queue()
        for id in 0..<2 { #expect(other.add(id, of: .user(.installation)) == .begins) }
        #expect(other.add(2, of: .user(.installation)) == .waits)
        #expect(other.add(3, of: ann) == .begins && other.add(4, of: bob) == .begins)
    }

    @Test func `in all there are so many, and those that wait are served in the order of their arrival`() {
        var queue = queue(active: 2)
        #expect(queue.add(1, of: ann) == .begins && queue.add(2, of: house) == .begins)
        #expect(queue.add(3, of: bob) == .waits && queue.add(4, of: ann) == .waits)
        #expect(queue.end(2) == [3])
        #expect(queue.end(3) == [4])
        #expect(queue.end(1).isEmpty && queue.end(4).isEmpty)
        #expect(queue.activeCount == 0)
    }

    @Test func `those that wait are bounded, in all and of one reader`() {
        var queue = queue(active: 1)
        #expect(queue.add(1, of: ann) == .begins)
        #expect(queue.add(2, of: ann) == .waits && queue.add(3, of: ann) == .waits)
        #expect(queue.add(4, of: ann) == .refused)
        #expect(queue.add(5, of: bob) == .waits)
        #expect(queue.add(6, of: house) == .refused)
        // One that gives up makes room.
        #expect(queue.end(2).isEmpty)
        #expect(queue.add(7, of: house) == .waits)
        #expect(queue.end(1) == [3])
    }

    @Test func `what was never added ends without effect`() {
        var queue = queue(active: 1)
        #expect(queue.add(1, of: ann) == .begins)
        #expect(queue.end(9).isEmpty && queue.activeCount == 1)
    }

    // MARK: Clients that take nothing

    @Test func `the one that has taken nothing for the longest time is cut, where another one waits`() {
        var queue = queue(active: 3, perUser: 3)
        for id in 1...3 { #expect(queue.add(id, of: ann) == .begins) }
        queue.pieceSent(1, at: start + .seconds(1))
        queue.pieceSent(2, at: start)
        // The third one reads from the store, however long that takes.
        queue.pieceSent(3, at: start)
        queue.readStarted(3)
        #expect(queue.cut(at: start + .seconds(60)).isEmpty)
        #expect(queue.add(4, of: bob) == .waits)
        #expect(queue.cut(at: start + .seconds(4)).isEmpty)
        #expect(queue.cut(at: start + .seconds(5)) == [2])
        // One for each that waits.
        #expect(queue.cut(at: start + .seconds(60)).isEmpty)
        #expect(queue.end(2) == [4])
        #expect(queue.cut(at: start + .seconds(60)).isEmpty)
    }

    @Test func `a reader at its own limit has one of its own cut`() {
        var queue = queue()
        #expect(
            queue.add(1, of: bob) == .begins && queue.add(2, of: ann) == .begins && queue.add(3, of: ann) == .begins)
        queue.pieceSent(1, at: start)
        queue.pieceSent(2, at: start + .seconds(2))
        queue.pieceSent(3, at: start + .seconds(1))
        #expect(queue.add(4, of: ann) == .waits)
        #expect(queue.cut(at: start + .seconds(5)).isEmpty)
        #expect(queue.cut(at: start + .seconds(6)) == [3])
    }

    @Test func `each that waits has another one cut, the slowest first`() {
        var queue = queue(active: 3, perUser: 3)
        for id in 1...3 {
            #expect(queue.add(id, of: ann) == .begins)
            queue.pieceSent(id, at: start + .seconds(3 - id))
        }
        #expect(queue.add(4, of: bob) == .waits && queue.add(5, of: house) == .waits)
        #expect(queue.cut(at: start + .seconds(60)) == [3, 2])
        #expect(queue.cut(at: start + .seconds(60)).isEmpty)
    }

    @Test func `a client that takes something in time is not cut`() {
        var queue = queue(active: 1)
        #expect(queue.add(1, of: ann) == .begins && queue.add(2, of: bob) == .waits)
        for second in stride(from: 0, to: 60, by: 4) {
            queue.pieceSent(1, at: start + .seconds(second))
            #expect(queue.cut(at: start + .seconds(second + 4)).isEmpty)
        }
    }
}
