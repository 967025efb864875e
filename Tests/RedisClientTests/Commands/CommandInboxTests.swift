import NIOCore
import Synchronization
import Testing

@testable import RedisClient

@Suite(.timeLimit(.minutes(2))) struct CommandInboxTests {
    private func batch(count: Int = 1, bytes: Int = 1) -> CommandBatch {
        CommandBatch(ByteBuffer(repeating: 0, count: bytes), count: count, deadline: .distantFuture)
    }

    @Test func `refuses at once while there is no connection`() {
        let inbox = CommandInbox(maximumCommands: 10, maximumBytes: 100)
        #expect(throws: RedisError.notConnected) { try inbox.submit(batch()) }
        inbox.close()
        #expect(throws: RedisError.closed) { try inbox.submit(batch()) }
        inbox.open {}
        #expect(throws: RedisError.closed) { try inbox.submit(batch()) }
    }

    @Test func `wakes the event loop once for all that gathers`() throws {
        let inbox = CommandInbox(maximumCommands: 10, maximumBytes: 100)
        let wakes = Atomic(0)
        inbox.open { wakes.add(1, ordering: .relaxed) }
        try inbox.submit(batch())
        try inbox.submit(batch())
        #expect(wakes.load(ordering: .relaxed) == 1)
        #expect(inbox.takeQueued().count == 2)
        try inbox.submit(batch())
        #expect(wakes.load(ordering: .relaxed) == 2)
    }

    @Test func `bounds commands and bytes, queued and in flight together`() throws {
        let inbox = CommandInbox(maximumCommands: 3, maximumBytes: 100)
        inbox.open {}
        try inbox.submit(batch(count: 2))
        let inFlight = inbox.takeQueued()
        #expect(throws: RedisError.overloaded) { try inbox.submit(batch(count: 2)) }
        try inbox.submit(batch())
        #expect(throws: RedisError.overloaded) { try inbox.submit(batch()) }
        inbox.release(inFlight)
        #expect(throws: RedisError.overloaded) { try inbox.submit(batch(bytes: 100)) }
        try inbox.submit(batch(bytes: 99))
    }

    @Test func `a lost connection frees what was in flight and returns what was not sent`() throws {
        let inbox = CommandInbox(maximumCommands: 2, maximumBytes: 100)
        inbox.open {}
        try inbox.submit(batch())
        _ = inbox.takeQueued()
        let unsent = batch()
        try inbox.submit(unsent)
        #expect(inbox.goDown("gone").map(ObjectIdentifier.init) == [ObjectIdentifier(unsent)])
        #expect(inbox.lastFailure == "gone")
        inbox.open {}
        #expect(inbox.lastFailure == nil)
        try inbox.submit(batch(count: 2))
    }
}
