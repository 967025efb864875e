import Testing

@testable import RedisClient

@Suite(.timeLimit(.minutes(2))) struct HandshakeTests {
    private func handshake(_ url: String, name: String? = nil) throws -> Handshake {
        var configuration = try RedisConfiguration(url: url)
        configuration.clientName = name
        return Handshake(configuration)
    }

    @Test func `asks for what is configured and always for an answer`() throws {
        #expect(try handshake("redis://h").commands == [["PING"]])
        #expect(
            try handshake("redis://ann:pw@h/2", name: "chat").commands
                == [["AUTH", "ann", "pw"], ["SELECT", 2], ["CLIENT", "SETNAME", "chat"], ["PING"]])
        #expect(try handshake("redis://:pw@h").commands == [["AUTH", "pw"], ["PING"]])
    }

    @Test func `is established with the last reply`() throws {
        var handshake = try handshake("redis://:pw@h")
        #expect(handshake.receive(.simpleString("OK")) == .wait)
        #expect(handshake.receive(.simpleString("PONG")) == .established)
        #expect(handshake.receive(.simpleString("PONG")) == .fail(.protocolViolation))
    }

    @Test func `a refused name does no harm, a refused ping does`() throws {
        var handshake = try handshake("redis://h", name: "chat")
        #expect(handshake.receive(.error("NOPERM")) == .wait)
        #expect(handshake.receive(.error("LOADING")) == .fail(.server("LOADING")))
    }

    @Test func `the password is never in the error`() throws {
        var handshake = try handshake("redis://:secret@h")
        let quoting = "ERR unknown command 'AUTH', with args beginning with: 'secret'"
        #expect(handshake.receive(.error(quoting)) == .fail(.server("ERR AUTH was refused")))
    }
}
