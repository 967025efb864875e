import NIOConcurrencyHelpers
import Testing

@testable import ChatClient

@Suite(.timeLimit(.minutes(1))) struct TokenTests {
    let server = FakeServer()

    @Test func `another user's token signs out and sends nothing`() async throws {
        let client = try makeClient(server) { _ in token(of: 2) }
        _ = client.room("a").post("Hello")
        try await running(client) { [server] in
            await client.reaches(.signedOut, .otherUser)
            #expect(server.calls.isEmpty)
            let error = await #expect(throws: ChatError.self) { try await client.profile() }
            #expect(error?.code == .signedOut)
        }
        #expect(client.outbox.value.count == 1)
    }

    @Test func `what is no token is asked for again`() async throws {
        let answers = NIOLockedValueBox(["", "x", "a.b.c", "e30.e30.sig"])
        let client = try makeClient(server) { _ in
            answers.withLockedValue { $0.popLast() } ?? token(of: 1)
        }
        try await running(client) { [server] in
            _ = try await server.link()
            #expect(answers.withLockedValue { $0 }.isEmpty)
        }
    }

    @Test func `an application that fails is asked again and one that gives up signs out`() async throws {
        struct Broken: Error {}
        let count = NIOLockedValueBox(0)
        let client = try makeClient(server) { _ in
            if count.increment() < 3 { throw Broken() }
            throw SignedOut()
        }
        try await running(client) {
            await client.reaches(.signedOut, .signedOut)
            #expect(count.withLockedValue { $0 } == 3)
        }
    }

    @Test func `a refused token that comes again counts as failed`() async throws {
        let same = token(of: 1)
        let asked = NIOLockedValueBox<[TokenReason]>([])
        let client = try makeClient(server) { reason in
            let count = asked.withLockedValue { asked in
                asked.append(reason)
                return asked.count
            }
            return count < 4 ? same : token(of: 1, id: 7)
        }
        try await running(client) { [server] in
            let link = try await server.link()
            link.close(4401)
            let next = try await server.link()
            #expect(asked.withLockedValue { $0 } == [.first, .refused, .refused, .refused])
            #expect(next.request.headers.first?.value != "Bearer " + same)
        }
    }

    @Test func `a call that the application itself has cancelled is a failed one`() async throws {
        let count = NIOLockedValueBox(0)
        let client = try makeClient(server) { _ in
            if count.increment() == 1 { throw CancellationError() }
            return token(of: 1)
        }
        let took = try await ContinuousClock().measure {
            try await running(client) { [server] in _ = try await server.link() }
        }
        #expect(took < .seconds(20))
    }

    @Test func `a refused token is not used while the next one is waited for`() async throws {
        let client = try makeClient(server)
        try await running(client) { [server] in
            try await server.link().live()
            await client.reaches(.live)
            await client.core.input { core in
                // As after many refusals in a row, when the next call follows after a pause.
                core.connection.refusals = 8
                await core.unauthorized(core.token)
                #expect(core.token == nil)
                #expect(!core.connection.isAsking)
            }
        }
    }

    @Test func `of all who share a store one asks for a token at a time`() async throws {
        let store = MemoryChatStore()
        let (asking, asked) = (NIOLockedValueBox(0), NIOLockedValueBox(0))
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<6 {
                group.addTask {
                    let server = FakeServer()
                    let client = try makeClient(server, store: store) { _ in
                        let count = asking.increment()
                        #expect(count == 1)
                        for _ in 0..<100 { await Task.yield() }
                        asking.withLockedValue { $0 -= 1 }
                        _ = asked.increment()
                        return token(of: 1, id: number)
                    }
                    try await running(client) { _ = try await server.link() }
                }
            }
            try await group.waitForAll()
        }
        #expect(asked.withLockedValue { $0 } == 6)
        #expect(!store.contents.keys.contains { $0.contains("token") })
    }

    @Test func `a token is never kept`() async throws {
        let store = MemoryChatStore()
        let client = try makeClient(server, store: store)
        try await running(client) { [server] in
            try await server.link().live(rooms: [roomFrame("a")])
            await client.reaches(.live)
        }
        #expect(!store.contents.values.contains { String(decoding: $0, as: UTF8.self).contains("e30.") })
    }

    @Test func `the late answer of an application that hung is dropped`() async throws {
        let client = try makeClient(server) { _ in
            try await Task.sleep(for: .seconds(600))
            return token(of: 1)
        }
        try await running(client) {
            let core = client.core
            try await core.tokenIsAsked()
            let late = await core.tokenCall
            await core.input { core in
                let end = System.monotonicClock + Connection.tokenTimeout
                await core.handle(core.connection.timePassed(end))
            }
            #expect(await core.tokenCall > late)
            await core.tokenCallEnded(.success(token(of: 1)), call: late)
            #expect(await core.token == nil)
            #expect(client.connectionStates.value.state == .offline)
        }
    }
}
