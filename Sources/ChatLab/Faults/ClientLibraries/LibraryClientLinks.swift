import ChatLocalStack

/// The network of the processes with client libraries: a proxy before each server, which cuts them off.
final class LibraryClientLinks: Sendable {
    /// Which of their links are meant.
    enum Part: CaseIterable, Sendable {
        case all, messages, sockets
    }

    private let system: FaultProxy
    private let messages: [FaultProxy]
    private let sockets: [FaultProxy]

    private init(system: FaultProxy, messages: [FaultProxy], sockets: [FaultProxy]) {
        (self.system, self.messages, self.sockets) = (system, messages, sockets)
    }

    static func start(to stack: LocalStack) async throws -> LibraryClientLinks {
        func proxies(_ servers: [LocalServer]) async throws -> [FaultProxy] {
            var proxies: [FaultProxy] = []
            for server in servers { proxies.append(try await FaultProxy.start(to: server.port)) }
            return proxies
        }
        return LibraryClientLinks(
            system: try await FaultProxy.start(to: stack.systemServer.port),
            messages: try await proxies(stack.messageServers), sockets: try await proxies(stack.webSocketServers))
    }

    /// Any of the servers, always by the same address of the system server, which names the store.
    var servers: LibraryClient.Servers {
        func port(_ proxies: [FaultProxy]) -> Int { (proxies.randomElement() ?? system).port }
        return .init(
            system: "http://127.0.0.1:\(system.port)", messages: "http://127.0.0.1:\(port(messages))",
            sockets: "ws://127.0.0.1:\(port(sockets))")
    }

    func set(_ mode: FaultProxy.Mode, _ part: Part = .all) async throws {
        let chosen =
            switch part {
            case .all: proxies
            case .messages: messages
            case .sockets: sockets
            }
        for proxy in chosen { try await proxy.set(mode) }
    }

    /// What was done to the links.
    var counts: (cut: Int, held: Int) {
        proxies.map(\.counts).reduce((0, 0)) { ($0.0 + $1.cut, $0.1 + $1.held) }
    }

    func stop() async throws {
        for proxy in proxies { try await proxy.stop() }
    }

    private var proxies: [FaultProxy] { [system] + messages + sockets }
}
