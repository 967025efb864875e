import CommonLogging
import CommonUtil
import Glibc
import NIOCore
import NIOHTTP1
import NIOPosix
import Testing

@testable import CommonServer

@Suite(.timeLimit(.minutes(1))) struct ConnectionGateTests {
    @Test(arguments: [(0, 1_024), (100, 300), (149, 200), (959, 1_024)])
    func `most descriptors are for everything`(descriptor: CInt, limit: Int) {
        #expect(DescriptorReserve.access(descriptor, limit: limit) == .all)
    }

    @Test(arguments: [(150, 200), (174, 200), (960, 1_024), (991, 1_024)])
    func `the last ones are for health checks and metrics`(descriptor: CInt, limit: Int) {
        #expect(DescriptorReserve.access(descriptor, limit: limit) == .operations)
    }

    @Test(arguments: [(175, 200), (992, 1_024), (300, 200)])
    func `the very last are for no client`(descriptor: CInt, limit: Int) {
        #expect(DescriptorReserve.access(descriptor, limit: limit) == nil)
    }

    private func address(_ text: String) -> PeerAddress? {
        var bytes = [UInt64](repeating: 0, count: 2)
        var ipv4: UInt32 = 0
        if inet_pton(AF_INET, text, &ipv4) == 1 { return .ipv4(ipv4) }
        guard inet_pton(AF_INET6, text, &bytes) == 1 else { return nil }
        return PeerAddress(network: bytes[0], interface: bytes[1])
    }

    @Test func `the kernel's form of an address is read, IPv4 inside IPv6 as IPv4`() throws {
        for text in ["192.0.2.1", "2001:db8::1", "::1"] { #expect(address(text)?.text == text) }
        #expect(address("::ffff:192.0.2.1")?.text == "192.0.2.1")
    }

    @Test func `addresses of one IPv6 network count together, IPv4 addresses each by itself`() throws {
        #expect(address("2001:db8::1")?.block == address("2001:db8::2:0:0:1")?.block)
        #expect(address("2001:db8::1")?.block != address("2001:db8:0:1::1")?.block)
        #expect(address("192.0.2.1")?.block != address("192.0.2.2")?.block)
        #expect(address("::ffff:192.0.2.1")?.block == address("192.0.2.1")?.block)
    }

    private func connect(_ port: Int) async throws -> any Channel {
        try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton).connectTimeout(.seconds(10))
            .connect(host: "127.0.0.1", port: port).get()
    }

    @Test func `an address has a maximum number of connections`() async throws {
        try await TestServer.run(settings: ["CHAT_LIMIT_CONNECTIONS_PER_ADDRESS": "3"]) { server in
            var four: [any Channel] = []
            let (closed, closing) = AsyncStream.makeStream(of: Void.self)
            for _ in 0..<4 {
                let channel = try await connect(server.port)
                channel.closeFuture.whenComplete { _ in closing.yield() }
                four.append(channel)
            }
            // One is accepted and closed again. Several event loops accept, so it need not be the last.
            _ = await closed.first { _ in true }
            #expect(four.count { $0.isActive } == 3)
            #expect(server.metrics.text().contains(#"chat_rate_limited_total{limit="connections_per_address"} 1"#))
            for channel in four where channel.isActive { try await channel.close() }
            // There is room again as soon as the server has seen it.
            while (try? await server.request(.GET, "/health/live"))?.status != 200 { await Task.yield() }
        }
    }

    @Test(arguments: [
        ["CHAT_LIMIT_CONNECTIONS_PER_ADDRESS": "0"],
        ["CHAT_LIMIT_CONNECTIONS_PER_ADDRESS": "1", "CHAT_TRUSTED_PROXIES": "127.0.0.0/8"],
    ])
    func `a proxy's connections are other people's`(settings: [String: String]) async throws {
        try await TestServer.run(settings: settings) { server in
            var held: [any Channel] = []
            for _ in 0..<20 { held.append(try await connect(server.port)) }
            #expect(try await server.request(.GET, "/health/live").status == 200)
            for channel in held { try await channel.close() }
        }
    }
}
