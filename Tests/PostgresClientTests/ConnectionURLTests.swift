import Testing

@testable import PostgresClient

/// What a connection URI says, and what it must not be taken for.
@Suite(.timeLimit(.minutes(2))) struct ConnectionURLTests {
    private func keywords(_ url: String, targets: [ConnectTarget] = []) throws -> [String: String] {
        let configuration = try PostgresConfiguration(url: url)
        return Dictionary(
            uniqueKeysWithValues: configuration.endpoint.keywords(configuration, targets: targets))
    }

    @Test func `a password may hold any percent-encoded character`() throws {
        let keywords = try keywords("postgres://us%40er:p%40s%2Fs%25w%3Ao%3Frd@db.example:5433/ch%40t")
        #expect(keywords["user"] == "us@er" && keywords["password"] == "p@s/s%w:o?rd")
        #expect(keywords["host"] == "db.example" && keywords["port"] == "5433" && keywords["dbname"] == "ch@t")
    }

    @Test(arguments: [
        "postgres://chat:hun@ter2@db.example/chat", "postgres://chat:12/hunter2@db.example/chat",
        "postgres://chat:hun/ter2@db.example/chat", "postgres://chat:hun%ter2@db.example/chat",
        "postgres://chat:hun:ter2@db.example/chat", "postgresql://chat:hunter2@db.example/ch@t",
        "postgres://chat:hun@t/e@r2@db.example/chat", "postgres://ch@t:hunter2@db.example/chat",
    ])
    func `an unencoded password is refused without being quoted`(url: String) {
        let error = #expect(throws: PostgresError.self) { try PostgresConfiguration(url: url) }
        let text = error.map { "\($0)" } ?? ""
        #expect(!text.contains("hun") && !text.contains("ter2") && !text.contains("12"), "\(text)")
    }

    @Test(arguments: [
        "postgres://", "postgres:///chat", "postgres://db.example", "postgres://u@db.example/chat?application_name=a@b",
        "postgres://u:p@[::1]:5433/chat", "postgres://u:p@one:1,two:2/chat", "postgres:///chat?host=/run/postgresql",
        "postgres://u:p?w@db.example/chat",
    ])
    func `an unambiguous URI is accepted`(url: String) throws {
        _ = try PostgresConfiguration(url: url)
    }

    @Test func `only writable servers are used unless the URI says otherwise`() throws {
        #expect(try keywords("postgres://db.example/chat")["target_session_attrs"] == "read-write")
        #expect(try keywords("postgres://h/chat?target_session_attrs=any")["target_session_attrs"] == "any")
    }

    @Test func `every address of every host is a target`() throws {
        let configuration = try PostgresConfiguration(url: "postgres://one:1,two:2,three:3/chat")
        // The second has no address now.
        let targets = configuration.endpoint.targets(addresses: [["10.0.0.1", "10.0.0.2"], [], ["10.0.0.3"]])
        #expect(
            targets == [
                ConnectTarget(host: "one", address: "10.0.0.1", port: "1"),
                ConnectTarget(host: "one", address: "10.0.0.2", port: "1"),
                ConnectTarget(host: "three", address: "10.0.0.3", port: "3"),
            ])
        let keywords = try keywords("postgres://one:1,two:2,three:3/chat", targets: targets)
        #expect(keywords["host"] == "one,one,three" && keywords["port"] == "1,1,3")
        #expect(keywords["hostaddr"] == "10.0.0.1,10.0.0.2,10.0.0.3")
        let onePort = try PostgresConfiguration(url: "postgres://one,two/chat?port=7")
        #expect(onePort.endpoint.targets(addresses: [["a"], ["b"]]).map(\.port) == ["7", "7"])
    }

    // MARK: The order of addresses

    private let targets = (0..<3).map { ConnectTarget(host: "h", address: "10.0.0.\($0)", port: "") }

    @Test func `the next attempt begins after the address where this one ended`() {
        var order = ConnectOrder()
        #expect(order.sorted(targets) == targets)
        order.failed(at: 0, of: targets)
        #expect(order.sorted(targets) == [targets[1], targets[2], targets[0]])
        // Attempts that were made at the same time count once.
        order.failed(at: 0, of: targets)
        #expect(order.sorted(targets).first == targets[1])
        order.failed(at: 1, of: order.sorted(targets))
        #expect(order.sorted(targets).first == targets[0])
    }

    @Test func `the address that accepted the connection comes first`() {
        var order = ConnectOrder()
        order.connected(to: 2, of: targets)
        #expect(order.sorted(targets) == [targets[2], targets[0], targets[1]])
        // It may have no such address any more.
        #expect(order.sorted(Array(targets[..<2])) == Array(targets[..<2]))
        #expect(order.sorted([]).isEmpty)
    }

    @Test func `the position of an attempt is found by its address and port`() {
        let targets = [
            ConnectTarget(host: "a", address: "127.0.0.1", port: "1"),
            ConnectTarget(host: "b", address: "127.0.0.1", port: "2"),
            ConnectTarget(host: "c", address: "127.0.0.2", port: ""),
        ]
        #expect(ConnectAttempt.position(of: ("127.0.0.1", "2"), in: targets) == 1)
        #expect(ConnectAttempt.position(of: ("127.0.0.2", "5432"), in: targets) == 2)
        #expect(ConnectAttempt.position(of: ("", ""), in: targets) == nil)
    }

    // MARK: Settings of the session

    @Test(arguments: [
        ("", ""), ("-c jit=on", "jit"), ("-cjit=on --statement-timeout=5s", "jit statement_timeout"),
        (#"-c search_path=a\ b -c  Work_Mem=1"#, "search_path work_mem"), ("-c", ""), ("--", ""),
    ])
    func `the names in options are read`(options: String, names: String) {
        #expect(StartupOptions.names(in: options).sorted().joined(separator: " ") == names)
    }

    @Test func `settings of the URI take precedence`() throws {
        var configuration = try PostgresConfiguration(
            url: "postgres://h/chat?options=-c%20statement_timeout%3D5s%20-c%20TimeZone%3DCET")
        configuration.sessionSettings = ["jit": "off", "search_path": "it's"]
        let setup = configuration.endpoint.sessionSetup(configuration)
        #expect(!setup.contains("'statement_timeout'"))
        #expect(setup.contains("set_config('jit', 'off', false)") && setup.contains("'it''s'"))
        // Times are read as UTC.
        #expect(setup.contains("set_config('timezone', 'UTC', false)"))
        #expect(configuration.endpoint.keywords(configuration, targets: []).contains { $0.0 == "options" })
        let plain = try PostgresConfiguration(url: "postgres://h/chat")
        // PgBouncer refuses a connection that comes with options.
        #expect(!plain.endpoint.keywords(plain, targets: []).contains { $0.0 == "options" })
    }
}
