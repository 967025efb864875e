import NIOConcurrencyHelpers
import NIOCore
import Testing

@testable import ChatClient

@Suite(.timeLimit(.minutes(1))) struct KeepAliveTests {
    /// The observations of a server.
    private struct Seen {
        var connections = 0
        var requests: [String] = []
    }

    let transport = NIOTransport()
    private let seen = NIOLockedValueBox(Seen())

    init() { transport.keepConnections() }

    private static let answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

    private func call(
        _ server: ServerAddress, _ method: HTTPCall.Method = .get, isKeyed: Bool = false, isRepeated: Bool? = false
    ) async throws {
        var call = HTTPCall(method: method, server: server, path: "/x")
        if method == .post { call.body = Array("{}".utf8) }
        call.isKeyed = isKeyed
        let answer = try await transport.call(call)
        #expect(String(decoding: answer.body, as: UTF8.self) == "ok")
        if let isRepeated { #expect(answer.isRepeated == isRepeated) }
    }

    /// A server that gives each request of a connection, from 1, an answer; `nil` closes the connection.
    private func serving(
        _ answer: @escaping @Sendable (_ connection: Int, _ request: Int) -> String?,
        _ body: @escaping @Sendable (ServerAddress) async throws -> Void
    ) async throws {
        try await ScriptedServer.running { [seen] first, inbound, out in
            let connection = seen.withLockedValue { seen in
                seen.connections += 1
                return seen.connections
            }
            var request = first
            var number = 1
            while true {
                let method = request.prefix { $0 != " " }
                seen.withLockedValue { $0.requests.append("\(connection) \(method)") }
                guard let text = answer(connection, number) else { return }
                try await out.write(ByteBuffer(string: text))
                guard let next = try await inbound.next() else { return }
                request = String(buffer: next)
                number += 1
            }
        } _: { server in
            try await body(server)
        }
    }

    @Test func `calls after one another share a connection`() async throws {
        try await serving { _, _ in
            Self.answer
        } _: { server in
            for _ in 1...3 { try await call(server) }
            try await call(server, .put)
            try await call(server, .post, isKeyed: true)
        }
        #expect(seen.withLockedValue { $0.requests } == ["1 GET", "1 GET", "1 GET", "1 PUT", "1 POST"])
    }

    @Test func `a call that must not be repeated has a connection of its own`() async throws {
        try await serving { _, _ in
            Self.answer
        } _: { server in
            try await call(server)
            try await call(server, .post)
        }
        #expect(seen.withLockedValue { $0.requests } == ["1 GET", "2 POST"])
    }

    @Test func `a connection that ends at the next call is replaced`() async throws {
        try await serving { connection, request in
            connection == 1 && request == 2 ? nil : Self.answer
        } _: { server in
            try await call(server)
            try await call(server, isRepeated: true)
            try await call(server)
        }
        #expect(seen.withLockedValue { $0.requests } == ["1 GET", "1 GET", "2 GET", "2 GET"])
    }

    @Test func `an answer that is cut is no reason to repeat the call`() async throws {
        try await serving { _, request in
            request == 1 ? Self.answer : "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nConnection: close\r\n\r\nok"
        } _: { server in
            try await call(server)
            var second = HTTPCall(server: server, path: "/x")
            second.timeoutMilliseconds = 300
            let error = await #expect(throws: ChatError.self) { try await transport.call(second) }
            #expect(error?.code == .timeout)
        }
        #expect(seen.withLockedValue { $0.connections } == 1)
    }

    @Test(arguments: [
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
        "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
    ])
    func `what the server does not keep is not kept`(_ text: String) async throws {
        try await serving { _, _ in
            text
        } _: { server in
            for _ in 1...2 { try await call(server) }
            #expect(transport.idle.count == 0)
        }
        #expect(seen.withLockedValue { $0.connections } == 2)
    }

    @Test func `few connections are kept, and none after the end`() async throws {
        try await serving { _, _ in
            Self.answer
        } _: { server in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 1...30 { group.addTask { try await call(server) } }
                try await group.waitForAll()
            }
            #expect((1...8).contains(transport.idle.count))
            transport.closeConnections()
            #expect(transport.idle.count == 0)
            try await call(server)
            #expect(transport.idle.count == 0)
        }
    }

    @Test func `what comes unasked ends the connection`() async throws {
        try await serving { connection, _ in
            connection == 1 ? Self.answer + "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbad" : Self.answer
        } _: { server in
            // Whether the end was seen before the next call or by it is open.
            for _ in 1...3 { try await call(server, isRepeated: nil) }
        }
        #expect(seen.withLockedValue { $0.connections } == 2)
    }
}
