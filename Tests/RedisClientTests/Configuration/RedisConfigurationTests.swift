import Testing

@testable import RedisClient

@Suite(.timeLimit(.minutes(2))) struct RedisConfigurationTests {
    @Test func `reads every part of a URL`() throws {
        let configuration = try RedisConfiguration(url: "rediss://ann:p%40ss%3A@[::1]:7000/3")
        #expect(configuration.usesTLS)
        #expect(configuration.username == "ann")
        #expect(configuration.password?.text == "p@ss:")
        #expect(configuration.host == "::1")
        #expect(configuration.port == 7000)
        #expect(configuration.database == 3)
    }

    @Test func `has defaults`() throws {
        let configuration = try RedisConfiguration(url: "redis://localhost")
        #expect(!configuration.usesTLS)
        #expect(configuration.port == 6379)
        #expect(configuration.database == 0)
        #expect(configuration.username == nil)
        #expect(configuration.password == nil)
    }

    @Test func `a password needs no user`() throws {
        let configuration = try RedisConfiguration(url: "redis://:secret@localhost:1/")
        #expect(configuration.username == nil)
        #expect(configuration.password?.text == "secret")
    }

    @Test(arguments: [
        "", "localhost:6379", "http://localhost", "redis://", "redis://:secret@", "redis://host:0",
        "redis://host:99999", "redis://host/x", "redis://host/-1", "redis://ann@host",
        "redis://host/0?x=1", "redis://:sec ret@ho st",
    ])
    func `refuses what cannot work, without quoting it`(_ url: String) {
        let error = #expect(throws: RedisError.self) { try RedisConfiguration(url: url) }
        guard case .invalidConfiguration(let text) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(!text.contains("sec"))
    }

    @Test func `no description shows the password`() throws {
        let configuration = try RedisConfiguration(url: "redis://ann:secret@localhost/2")
        #expect("\(configuration)" == "redis://ann:***@localhost:6379/2")
        var dumped = ""
        dump(configuration, to: &dumped)
        #expect(!(dumped + String(reflecting: configuration)).contains("secret"))
    }
}
