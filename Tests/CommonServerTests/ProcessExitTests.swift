import CommonUtil
import Glibc
import NIOCore
import Testing

@testable import CommonServer

@Suite(.timeLimit(.minutes(2))) struct ProcessExitTests {
    private func status(_ error: any Error) -> ProcessExit { ProcessExit(error: error, host: "127.0.0.1", port: 8081) }

    @Test func `a wrong setting exits with 78`() {
        let error = ConfigurationError(name: "CHAT_PORT", held: "x", isSecret: false, allowed: "0–65535")
        #expect(status(error) == ProcessExit(code: 78, line: "CHAT_PORT is 'x', allowed is: 0–65535"))
    }

    @Test func `a port in use is named`() {
        let error = IOError(errnoCode: EADDRINUSE, reason: "bind")
        #expect(status(error) == ProcessExit(code: 1, line: "port 8081 of 127.0.0.1 is in use"))
        #expect(
            status(IOError(errnoCode: EACCES, reason: "bind")).line?.hasPrefix("cannot listen on port 8081") == true)
    }

    @Test func `an address that is not of this machine is a wrong setting`() {
        let exit = ProcessExit(error: IOError(errnoCode: EADDRNOTAVAIL, reason: "bind"), host: "192.0.2.1", port: 1)
        #expect(exit.code == 78)
        #expect(exit.line?.hasPrefix("CHAT_HOST is '192.0.2.1', allowed is: ") == true)
    }

    @Test func `other errors show no secrets`() throws {
        struct Leaky: Error {
            let text = "postgres://chat:hunter2@host/db"
        }
        let line = try #require(status(Leaky()).line)
        #expect(status(Leaky()).code == 1 && !line.contains("hunter2") && line.contains("Leaky"))
    }
}
