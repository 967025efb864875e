import CommonUtil
import Glibc
import Hummingbird
import NIOCore
import NIOPosix
import Synchronization
import Testing

@testable import CommonServer

/// How a call that waits finds that nobody waits for its response any more.
@Suite(.timeLimit(.minutes(1))) struct ClientLeftTests {
    private static let request = "GET /wait HTTP/1.1\r\nHost: x\r\n\r\n"

    /// A route that waits for as long as its client is there.
    private final class Waiting: Sendable {
        let begun: AsyncStream<Bool>
        let ended: AsyncStream<Void>
        private let begins: AsyncStream<Bool>.Continuation
        private let ends: AsyncStream<Void>.Continuation

        init() {
            (begun, begins) = AsyncStream.makeStream()
            (ended, ends) = AsyncStream.makeStream()
        }

        var routes: Routes {
            var routes = Routes()
            routes.get("/wait") { [self] _, context in
                begins.yield(await context.hasClientLeft)
                while !(await context.hasClientLeft) { try await Task.sleep(for: .milliseconds(2)) }
                ends.yield()
                return Response(json: Echo(text: "left"))
            }
            return routes
        }
    }

    @Test(arguments: [request, request + request]) func `a client that closes its connection has left`(
        input: String
    ) async throws {
        let waiting = Waiting()
        try await TestServer.run(routes: waiting.routes) { server in
            let client = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .connect(host: "127.0.0.1", port: server.port).get()
            try await client.writeAndFlush(ByteBuffer(string: input))
            #expect(await waiting.begun.first { _ in true } == false)
            try await client.close()
            #expect(await waiting.ended.first { true } != nil)
        }
    }

    @Test func `a client that resets its connection has left`() async throws {
        let waiting = Waiting()
        try await TestServer.run(routes: waiting.routes) { server in
            let client = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .connect(host: "127.0.0.1", port: server.port).get()
            try await client.writeAndFlush(ByteBuffer(string: Self.request))
            #expect(await waiting.begun.first { _ in true } == false)
            let options = try #require(client as? any SocketOptionProvider)
            try await options.setSoLinger(linger(l_onoff: 1, l_linger: 0)).get()
            try await client.close()
            #expect(await waiting.ended.first { true } != nil)
        }
    }

    @Test func `a client that only ends its output gets its response early`() async throws {
        let waiting = Waiting()
        try await TestServer.run(routes: waiting.routes) { server in
            let answer = try await server.raw(Self.request, endsOutput: true)
            #expect(answer.hasPrefix("HTTP/1.1 200") && answer.hasSuffix(#"{"text":"left"}"#))
        }
    }
}
