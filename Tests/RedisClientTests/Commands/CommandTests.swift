import NIOCore
import Testing

@testable import RedisClient

@Suite(.timeLimit(.minutes(1))) struct CommandTests {
    @Test func `stores and returns any bytes`() async throws {
        let redis = try await RedisFixture()
        try await Harness.withClient(of: redis) { client in
            let bytes = ByteBuffer(bytes: Array(0...255) + Array("\r\n$-1\r\n".utf8))
            let commands: [([RedisArgument], RESPValue)] = [
                (["SET", "key", .bytes(bytes)], .simpleString("OK")),
                (["GET", "key"], .bulkString(bytes)),
                (["GET", "none"], .null),
                (["INCRBY", "number", 42], .integer(42)),
                (["LRANGE", "list", 0, -1], .array([])),
            ]
            for (command, reply) in commands {
                let received = try await client.send(command)
                #expect(received == reply)
            }
            #expect(client.isConnected)
            #expect(client.lastFailure == nil)
        }
    }

    @Test func `an error reply is thrown to its own caller`() async throws {
        let redis = try await RedisFixture()
        try await Harness.withClient(of: redis) { client in
            try await client.send("SET", "key", "text")
            let error = await #expect(throws: RedisError.self) { try await client.send("INCR", "key") }
            guard case .server(let message) = error else {
                Issue.record("\(String(describing: error))")
                return
            }
            #expect(message.hasPrefix("ERR value is not an integer"))
            try await client.ping()
        }
    }

    @Test func `ten thousand commands at once each get their own reply`() async throws {
        let redis = try await RedisFixture()
        try await Harness.withClient(of: redis) { client in
            try await client.ping()
            try await withThrowingTaskGroup(of: (Int, RESPValue).self) { group in
                for number in 0..<10_000 {
                    group.addTask { (number, try await client.send("ECHO", .integer(number))) }
                }
                for try await (number, reply) in group {
                    #expect(reply.string == String(number))
                }
            }
        }
    }

    @Test func `a payload of a mebibyte comes back whole`() async throws {
        let redis = try await RedisFixture()
        try await Harness.withClient(of: redis) { client in
            let payload = ByteBuffer(bytes: (0..<(1 << 20)).map { UInt8(truncatingIfNeeded: $0 &* 31) })
            try await client.send("SET", "key", .bytes(payload))
            #expect(try await client.send("GET", "key") == .bulkString(payload))
        }
    }

    @Test func `selects the database and names the connection`() async throws {
        let redis = try await RedisFixture()
        try await Harness.withClient(of: redis) { client in
            try await client.send("SET", "key", "in 0")
        }
        var configuration = try Harness.configuration("redis://127.0.0.1:\(redis.port)/5")
        configuration.clientName = "test-client"
        try await Harness.withClient(configuration) { client in
            #expect(try await client.send("GET", "key") == .null)
            let info = try await client.send("CLIENT", "INFO").string ?? ""
            #expect(info.contains("name=test-client"))
            #expect(info.contains("db=5"))
        }
    }

    @Test func `beyond the bound commands are refused at once, and there is room again later`() async throws {
        let redis = try await RedisFixture()
        var configuration = try Harness.configuration(redis)
        configuration.maximumInFlight = 4
        try await Harness.withClient(configuration) { client in
            try await client.ping()
            redis.suspend()
            try await withThrowingTaskGroup(of: Result<RESPValue, any Error>.self) { group in
                for _ in 0..<5 {
                    group.addTask { await Result { try await client.send("PING") } }
                }
                // While the server is silent only a refusal can end a call.
                let first = try await group.next()
                #expect(first?.failure as? RedisError == .overloaded)
                redis.resume()
                for try await result in group {
                    #expect(try result.get() == .simpleString("PONG"))
                }
            }
            try await client.ping()
        }
    }

    @Test func `a batch larger than the bound is refused as a whole`() async throws {
        let redis = try await RedisFixture()
        var configuration = try Harness.configuration(redis)
        configuration.maximumInFlight = 4
        try await Harness.withClient(configuration) { client in
            try await client.ping()
            let results = await client.publish(Array(repeating: ("c", Array("x".utf8)), count: 5))
            #expect(results == Array(repeating: .failure(.overloaded), count: 5))
        }
    }

    @Test func `a cancelled send returns, and replies stay in step`() async throws {
        let redis = try await RedisFixture()
        try await Harness.withClient(of: redis) { client in
            try await client.ping()
            redis.suspend()
            let stuck = Task { try await client.send("ECHO", "cancelled") }
            let next = Task { try await client.send("ECHO", "next") }
            stuck.cancel()
            #expect(await stuck.result.failure as? RedisError == .cancelled)
            redis.resume()
            #expect(try await next.value.string == "next")
            #expect(try await client.send("ECHO", "last").string == "last")
        }
    }

    @Test func `publishing returns the number of receivers, and errors one by one`() async throws {
        let redis = try await RedisFixture()
        try await Harness.withClient(of: redis) { client in
            try await client.ping()
            #expect(try await client.publish(Array("x".utf8), to: "nobody") == 0)
            #expect(await client.publish([]).isEmpty)
            try await client.send("ACL", "SETUSER", "default", "resetchannels", "&allowed")
            let results = await client.publish([
                ("allowed", Array("x".utf8)), ("other", Array("x".utf8)),
            ])
            #expect(results.first == .success(0))
            guard case .failure(.server(let message)) = results.last else {
                Issue.record("\(results)")
                return
            }
            #expect(message.hasPrefix("NOPERM"))
        }
    }
}

extension Result where Failure == any Error {
    fileprivate init(_ body: () async throws -> Success) async {
        do {
            self = .success(try await body())
        } catch {
            self = .failure(error)
        }
    }
}

extension Result {
    var failure: Failure? {
        if case .failure(let error) = self { error } else { nil }
    }
}
