import AsyncHTTPClient
import CommonUtil
import Crypto
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import ServiceLifecycle
import Synchronization
import Testing

@testable import CommonAuth

/// A system server of which only the key set is there.
private final class KeyServer: Sendable {
    struct State {
        var status = HTTPResponse.Status.ok
        var body: [UInt8] = []
        /// Whether the body never ends.
        var trickles = false
        var requests = 0
        var waiters: [(count: Int, CheckedContinuation<Void, Never>)] = []
    }

    private let state = Mutex(State())

    func serve(_ keys: KeySet) {
        state.withLock { state in
            state.trickles = false
            state.status = .ok
            state.body = keys.jsonBytes
        }
    }

    func serve(_ status: HTTPResponse.Status, _ body: [UInt8] = []) {
        state.withLock { state in
            state.status = status
            state.body = body
        }
    }

    func trickle() { state.withLock { $0.trickles = true } }

    var requests: Int { state.withLock { $0.requests } }

    /// Returns once so many requests have been answered in all.
    func answered(_ count: Int) async {
        await withCheckedContinuation { continuation in
            let isDone = state.withLock { state in
                if state.requests < count { state.waiters.append((count, continuation)) }
                return state.requests >= count
            }
            if isDone { continuation.resume() }
        }
    }

    /// Runs the server, and `body` with its URL.
    func run(_ body: @escaping @Sendable (String) async throws -> Void) async throws {
        let router = Router()
        router.get("/jwks") { [self] _, _ in
            let (status, bytes, trickles, ready) = state.withLock { state in
                state.requests += 1
                let count = state.requests
                let ready = state.waiters.filter { $0.count <= count }
                state.waiters.removeAll { $0.count <= count }
                return (state.status, state.body, state.trickles, ready)
            }
            for waiter in ready { waiter.1.resume() }
            guard !trickles else {
                return Response(
                    status: .ok,
                    body: ResponseBody { writer in
                        while true {
                            try await writer.write(ByteBuffer(string: " "))
                            try await Task.sleep(for: .milliseconds(20))
                        }
                    })
            }
            return Response(status: status, body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
        }
        let (ports, port) = AsyncStream.makeStream(of: Int.self)
        let application = Application(
            router: router, configuration: .init(address: .hostname("127.0.0.1", port: 0)),
            onServerRunning: { port.yield($0.localAddress?.port ?? 0) })
        try await withThrowingTaskGroup { group in
            let services = ServiceGroup(services: [application], logger: Logger(label: "test"))
            group.addTask { try await services.run() }
            let port = try #require(await ports.first { _ in true })
            try await body("http://127.0.0.1:\(port)/jwks")
            await services.triggerGracefulShutdown()
            try await group.waitForAll()
        }
    }
}

@Suite(.timeLimit(.minutes(1))) struct RemoteKeysTests {
    private let server = KeyServer()

    private func newKeys() throws -> KeySet {
        let key = Curve25519.Signing.PrivateKey()
        return KeySet([try VerificationKey(rawRepresentation: key.publicKey.rawRepresentation)])
    }

    private func timing(refresh: Duration = .seconds(300), unknown: Duration = .seconds(60)) -> RemoteKeys.Timing {
        var timing = RemoteKeys.Timing()
        timing.refreshInterval = refresh
        timing.unknownKeyInterval = unknown
        timing.requestTimeout = .seconds(5)
        timing.retry = Backoff(first: .milliseconds(5), longest: .milliseconds(20))
        return timing
    }

    /// Runs `keys` as the service that it is, until `body` returns.
    private func running(_ keys: RemoteKeys, _ body: @escaping @Sendable () async throws -> Void) async throws {
        try await withThrowingTaskGroup { group in
            let services = ServiceGroup(services: [keys], logger: Logger(label: "test"))
            group.addTask { try await services.run() }
            try await body()
            await services.triggerGracefulShutdown()
            try await group.waitForAll()
        }
    }

    private func untilReady(_ keys: RemoteKeys) async throws {
        while !keys.isReady { try await Task.sleep(for: .milliseconds(2)) }
    }

    @Test func `keys are fetched until it works`() async throws {
        let expected = try newKeys()
        server.serve(.serviceUnavailable)
        try await server.run { [self] url in
            let keys = RemoteKeys(url: url, timing: timing())
            try await running(keys) { [self] in
                await server.answered(2)
                #expect(!keys.isReady && keys.keys == nil)
                server.serve(.ok, Array("{}".utf8))
                await server.answered(server.requests + 2)
                #expect(!keys.isReady)
                server.serve(expected)
                try await untilReady(keys)
                #expect(keys.keys?.keyIDs == expected.keyIDs)
            }
        }
    }

    @Test func `a response that is too large is none`() async throws {
        server.serve(.ok, [UInt8](repeating: 0x20, count: RemoteKeys.maximumResponseBytes + 1))
        try await server.run { [self] url in
            let keys = RemoteKeys(url: url, timing: timing())
            try await running(keys) { [self] in
                await server.answered(2)
                #expect(!keys.isReady)
            }
        }
    }

    @Test func `unknown keys are fetched once per minute`() async throws {
        let old = try newKeys()
        let new = try newKeys()
        server.serve(old)
        try await server.run { [self] url in
            let keys = RemoteKeys(url: url, timing: timing())
            try await running(keys) { [self] in
                // The first fetch does not use up the minute.
                try await untilReady(keys)
                server.serve(new)
                #expect(try await keys.refreshedKeys().keyIDs == new.keyIDs)
                #expect(server.requests == 2)
                #expect(try await keys.refreshedKeys().keyIDs == new.keyIDs)
                #expect(server.requests == 2)
            }
        }
    }

    @Test func `concurrent callers share a fetch`() async throws {
        server.serve(try newKeys())
        try await server.run { [self] url in
            let keys = RemoteKeys(url: url, timing: timing(unknown: .zero))
            try await running(keys) { [self] in
                try await untilReady(keys)
                let before = server.requests
                try await withThrowingTaskGroup { group in
                    for _ in 0..<50 { group.addTask { _ = try await keys.refreshedKeys() } }
                    try await group.waitForAll()
                }
                // Each of them may fetch, but those at the same time fetch together.
                #expect(server.requests - before < 25)
            }
        }
    }

    @Test func `known keys stay while the server is away`() async throws {
        let expected = try newKeys()
        server.serve(expected)
        try await server.run { [self] url in
            let keys = RemoteKeys(url: url, timing: timing(refresh: .milliseconds(5)))
            try await running(keys) { [self] in
                try await untilReady(keys)
                server.serve(.internalServerError)
                await server.answered(server.requests + 3)
                #expect(keys.keys?.keyIDs == expected.keyIDs)
                await #expect {
                    try await keys.refreshedKeys()
                } throws: { ($0 as? ChatError)?.code == .unavailable }
                let rotated = try newKeys()
                server.serve(rotated)
                while keys.keys?.keyIDs != rotated.keyIDs { try await Task.sleep(for: .milliseconds(2)) }
            }
        }
    }

    @Test func `a response that never ends holds up neither callers nor later fetches`() async throws {
        let expected = try newKeys()
        server.trickle()
        try await server.run { [self] url in
            var timing = timing(unknown: .zero)
            timing.requestTimeout = .seconds(1)
            let keys = RemoteKeys(url: url, timing: timing)
            await #expect {
                try await keys.refreshedKeys()
            } throws: { ($0 as? ChatError)?.code == .unavailable }
            server.serve(expected)
            // More than once where a busy machine takes longer than the timeout.
            while (try? await keys.refreshedKeys())?.keyIDs != expected.keyIDs {}
        }
    }

    @Test func `a fetch for an unknown key that failed is repeated before the minute is over`() async throws {
        let expected = try newKeys()
        server.serve(.serviceUnavailable)
        try await server.run { [self] url in
            var timing = timing()
            let seldom = RemoteKeys(url: url, timing: timing)
            timing.failedUnknownKeyInterval = .milliseconds(1)
            let soon = RemoteKeys(url: url, timing: timing)
            for _ in 0..<3 { await #expect(throws: ChatError.self) { try await seldom.refreshedKeys() } }
            #expect(server.requests == 1)
            await #expect(throws: ChatError.self) { try await soon.refreshedKeys() }
            server.serve(expected)
            try await Task.sleep(for: .milliseconds(2))
            #expect(try await soon.refreshedKeys().keyIDs == expected.keyIDs)
        }
    }

    @Test func `without a server keys are unavailable`() async throws {
        var timing = timing()
        timing.requestTimeout = .milliseconds(300)
        let keys = RemoteKeys(url: "http://127.0.0.1:1/jwks", timing: timing)
        await #expect {
            try await keys.refreshedKeys()
        } throws: { ($0 as? ChatError)?.code == .unavailable }
    }
}
