import ChatEvents
import CommonUtil
import Testing

@testable import ChatWebSocketServer

@Suite(.timeLimit(.minutes(1))) struct UserChangeQueueTests {
    private func change(_ version: Int64) -> UserChange {
        UserChange(userID: UserID(7), version: version, roomID: hall, kind: .read, seq: version)
    }

    private func line(at version: Int64, _ received: Int64...) -> UserChangeQueue {
        var line = UserChangeQueue()
        line.start(at: version)
        for version in received { line.receive(change(version)) }
        return line
    }

    @Test func `changes are sent in the order of their versions, each once`() {
        var line = line(at: 3, 5, 4, 4, 5, 2)
        let steps = (0..<3).map { _ in line.next() }
        #expect(steps == [.send(change(4)), .send(change(5)), .wait])
        #expect(line.version == 5)
    }

    @Test func `nothing is sent before the list, and what it shows is not sent again`() {
        var line = UserChangeQueue()
        for version: Int64 in [4, 5, 6] { line.receive(change(version)) }
        let early = line.next()
        #expect(early == .wait)
        line.start(at: 5)
        let steps = (0..<2).map { _ in line.next() }
        #expect(steps == [.send(change(6)), .wait])
    }

    @Test func `a version that was not published is found by comparing`() {
        var line = line(at: 1, 3)
        let step = line.next()
        #expect(step == .compare)
        line.compared(at: 3)
        let after = line.next()
        #expect(after == .wait)
    }

    @Test(arguments: [3, 5] as [Int64])
    func `another version in the database means a comparison, also a lower one`(present: Int64) {
        var line = line(at: 4)
        line.noteVersion(4)
        let same = line.next()
        #expect(same == .wait)
        line.noteVersion(present)
        let other = line.next()
        #expect(other == .compare)
        line.compared(at: present)
        line.receive(change(present + 1))
        let next = line.next()
        #expect(next == .send(change(present + 1)))
    }

    @Test func `a comparison covers what has arrived, and comes before what arrives meanwhile`() {
        var line = line(at: 1, 2)
        line.requireComparison()
        let step = line.next()
        #expect(step == .compare)
        line.receive(change(3))
        line.compared(at: 2)
        let next = line.next()
        #expect(next == .send(change(3)))
    }

    @Test func `a comparison that is asked for during another is made after it`() {
        var line = line(at: 1)
        line.requireComparison()
        let first = line.next()
        line.requireComparison()
        line.compared(at: 2)
        let second = line.next()
        line.compared(at: 2)
        let last = line.next()
        #expect([first, second, last] == [.compare, .compare, .wait])
    }

    @Test func `a comparison that failed is made again`() {
        var line = line(at: 1, 5)
        let steps = [line.next(), line.next()]
        #expect(steps == [.compare, .compare])
    }

    @Test func `changes of a log that was set back are not waited for`() {
        var line = line(at: 100, 200)
        let step = line.next()
        #expect(step == .compare)
        line.compared(at: 50)
        let next = line.next()
        #expect(next == .wait)
    }

    @Test func `what waits is bounded`() {
        var line = UserChangeQueue()
        for version in 1...Int64(UserChangeQueue.maximumWaiting + 1) { line.receive(change(version)) }
        line.start(at: 0)
        let step = line.next()
        #expect(step == .compare)
    }
}
