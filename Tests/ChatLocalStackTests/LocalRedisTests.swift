import Foundation
import Testing

@testable import ChatLocalStack

@Suite(.timeLimit(.minutes(2))) struct LocalRedisTests {
    @Test func `a local Redis starts, is paused, is killed, comes back on the same port, and asks for its password`()
        async throws
    {
        let redis = try await LocalRedis.ephemeral(authentication: .password)
        let port = redis.port
        let password = try String(contentsOfFile: "\(redis.configuration.folder)/password", encoding: .utf8)
        #expect(redis.url == "redis://:\(password)@127.0.0.1:\(port)")
        #expect(try ask("PING", port).hasPrefix("-NOAUTH"))
        #expect(try ask("AUTH \(password)\r\nSET key kept\r\nGET key", port).hasPrefix("+OK"))

        await redis.pause()
        #expect(throws: LocalStackError.self) { try ask("PING", port, timeout: .milliseconds(100)) }
        await redis.resume()
        #expect(try ask("PING", port).hasPrefix("-NOAUTH"))

        try await redis.kill()
        #expect(FreePort.isFree(port))
        try await redis.start()
        #expect(try ask("PING", port).hasPrefix("-NOAUTH"))
        try await redis.restart()
        #expect(try ask("PING", port).hasPrefix("-NOAUTH"))
        try await redis.stop()
        #expect(FreePort.isFree(port))
    }

    private func ask(_ command: String, _ port: Int, timeout: Duration = .seconds(5)) throws -> String {
        let socket = try TCPSocket()
        try socket.connect(host: "127.0.0.1", port: port, timeout: timeout)
        try socket.write("\(command)\r\n")
        return String(decoding: try socket.read(), as: UTF8.self)
    }
}
