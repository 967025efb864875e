import Testing

@testable import ChatLocalStack

@Suite("Free ports", .timeLimit(.minutes(2)))
struct FreePortTests {
    @Test("are distinct")
    func distinct() throws {
        let ports = try (0..<200).map { _ in try FreePort.next() }
        #expect(Set(ports).count == 200)
    }

    @Test("a port that somebody has bound is not free")
    func taken() throws {
        let port = try FreePort.next()
        #expect(FreePort.isFree(port))
        let socket = try TCPSocket()
        #expect(socket.bind(port: port))
        #expect(!FreePort.isFree(port))
    }
}
