import Testing

@testable import ChatLocalStack

@Suite(.timeLimit(.minutes(2))) struct FreePortTests {
    @Test func `free ports are distinct`() throws {
        let ports = try (0..<200).map { _ in try FreePort.next() }
        #expect(Set(ports).count == 200)
    }

    @Test func `a port that somebody has bound is not free`() throws {
        let port = try FreePort.next()
        #expect(FreePort.isFree(port))
        let socket = try TCPSocket()
        #expect(try socket.bind(port: port) == 0)
        #expect(!FreePort.isFree(port))
        #expect(try FreePort.state(of: port, on: "127.0.0.1") == .inUse)
    }

    @Test func `a host of another machine is distinguished from a free port, and an unknown host is an error`() throws {
        let port = try FreePort.next()
        #expect(try FreePort.state(of: port, on: "0.0.0.0") == .free)
        // Of a range that is for documentation alone (RFC 5737).
        #expect(try FreePort.state(of: port, on: "192.0.2.1") == .elsewhere)
        #expect(throws: LocalStackError.self) { try FreePort.state(of: port, on: "no such host") }
    }
}
