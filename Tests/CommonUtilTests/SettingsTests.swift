import CommonUtil
import FoundationEssentials
import Testing

@Suite(.timeLimit(.minutes(2))) struct SettingsTests {
    private func source(
        _ environment: [String: String] = [:], arguments: [String] = []
    ) async throws -> ConfigurationSource {
        try await ConfigurationSource(arguments: ["program"] + arguments, environment: environment)
    }

    @Test func `absent and empty values are the defaults`() async throws {
        let source = try await source(["CHAT_PORT": "", "CHAT_HOST": ""])
        #expect(try source.value(Settings.port(default: 8081)) == 8081)
        #expect(try source.value(Settings.host) == "127.0.0.1")
        #expect(try source.value(Settings.authMode) == .token)
        #expect(try source.value(Settings.trustedProxies) == [])
        #expect(try source.value(Settings.tlsCertificateFile) == nil)
        #expect(try source.value(Settings.tlsKeyFile) == nil)
        #expect(try source.value(Settings.tlsCAFile) == nil)
        #expect(try source.value(Settings.allowedOrigins(authMode: .token)) == .any)
        #expect(try source.value(Settings.limitPosts) == Rate(100, per: .second))
        #expect(try source.value(Settings.signingKeyFile(dataDirectory: "d")) == "d/signing-key.pem")
    }

    @Test func `flags come before the environment before a file`() async throws {
        let file = FileManager.default.temporaryDirectory.appending(path: "settings-\(UUID().uuidString).json")
        try Data(#"{"chat": {"port": 1, "host": "file", "logLevel": "debug"}}"#.utf8).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        let source = try await source(
            ["CHAT_CONFIG_FILE": file.path, "CHAT_PORT": "2", "CHAT_HOST": "env"], arguments: ["--chat-port", "3"])
        #expect(try source.value(Settings.port(default: 0)) == 3)
        #expect(try source.value(Settings.host) == "env")
        #expect(try source.value(Settings.logLevel) == .debug)
    }

    @Test func `a name with a digit is found by flag, in the environment and in a file`() async throws {
        let file = FileManager.default.temporaryDirectory.appending(path: "settings-\(UUID().uuidString).json")
        try Data(#"{"chat": {"s3AccessKey": "file"}}"#.utf8).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        let source = try await source(
            ["CHAT_CONFIG_FILE": file.path, "CHAT_S3_SECRET_KEY": "environment"],
            arguments: ["--chat-s3-session-token", "flag"])
        #expect(try source.value(Settings.s3AccessKey) == "file")
        #expect(try source.value(Settings.s3SecretKey) == "environment")
        #expect(try source.value(Settings.s3SessionToken) == "flag")
    }

    @Test func `a file that cannot be read is named`() async {
        await #expect {
            try await source(["CHAT_CONFIG_FILE": "/nowhere/chat.json"])
        } throws: { "\($0)".hasPrefix("CHAT_CONFIG_FILE is '/nowhere/chat.json'") }
    }

    @Test(arguments: [
        (#"{"chat": {"prot": 1}}"#, "'chat.prot'"), (#"{"chat": {"port": 1}, "caht": {}}"#, "'caht'"),
        (#"{"chat": {"limit": {"posts": "1/s"}}}"#, "'chat.limit'"), (#"{"chat": {"a\nb": 1}}"#, "'chat.a b'"),
        (#"{"chat": 1}"#, "'chat'"),
        ("[]", "a readable JSON file"), ("{", "a readable JSON file"),
    ])
    func `a file with unknown keys is refused`(text: String, named: String) async throws {
        let file = FileManager.default.temporaryDirectory.appending(path: "settings-\(UUID().uuidString).json")
        try Data(text.utf8).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        await #expect {
            try await source(["CHAT_CONFIG_FILE": file.path])
        } throws: { "\($0)".hasPrefix("CHAT_CONFIG_FILE") && "\($0)".contains(named) && !"\($0)".contains("\n") }
    }

    /// Each of them by flag, variable and file.
    @Test func `every setting has a flag and a key`() async throws {
        for setting in Settings.all {
            #expect(try CommandLineRequest(arguments: [setting.flag, "x"]) == .run)
            #expect(try CommandLineRequest(arguments: ["\(setting.flag)=x"]) == .run)
            #expect(CommandLineRequest.help(program: "Server", defaultPort: 8081).contains("\n  \(setting.name)"))
        }
        let file = FileManager.default.temporaryDirectory.appending(path: "settings-\(UUID().uuidString).json")
        try Data(#"{"chat": {"jwksUrl": "https://a.example", "limitSocketsPerUser": 7}}"#.utf8).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        let source = try await source(["CHAT_CONFIG_FILE": file.path])
        #expect(try source.value(Settings.jwksURL) == "https://a.example")
        #expect(try source.value(Settings.limitSocketsPerUser) == 7)
    }

    @Test func `help shows defaults`() {
        let help = CommandLineRequest.help(program: "Server", defaultPort: 8081)
        #expect(help.contains("\n  CHAT_PORT [8081]\n") && help.contains("\n  CHAT_LIMIT_POSTS [100/s]\n"))
        #expect(help.contains("\n  CHAT_METRICS_PORT\n"))
    }

    @Test func `arguments are flags of settings`() throws {
        #expect(try CommandLineRequest(arguments: []) == .run)
        #expect(try CommandLineRequest(arguments: ["--chat-port", "1", "--help"]) == .help)
        #expect(try CommandLineRequest(arguments: ["-h"]) == .help)
        #expect(try CommandLineRequest(arguments: ["--version"]) == .version)
        for wrong in [
            ["--chat-prot", "1"], ["--port", "1"], ["start"], ["--chat-port"], ["--chat-port", "--chat-host"],
            ["--chat-port", "1", "2"], ["-v"], [""],
        ] {
            #expect(throws: UsageError.self, "\(wrong)") { try CommandLineRequest(arguments: wrong) }
        }
        #expect {
            try CommandLineRequest(arguments: ["--chat-databse-url=postgres://a:hunter2@b"])
        } throws: { "\($0)" == "unknown argument '--chat-databse-url'; --help names all" }
    }

    @Test func `all settings can be checked at once`() async throws {
        try await source().checkAll()
        for (name, value) in [("CHAT_LIMIT_POSTS", "x"), ("CHAT_METRICS_PORT", "0"), ("CHAT_LOG_LEVEL", "loud")] {
            let source = try await source([name: value])
            #expect {
                try source.checkAll()
            } throws: { "\($0)".hasPrefix("\(name) is '\(value)'") }
        }
    }

    @Test func `a wrong value is named with the allowed ones`() async throws {
        let source = try await source([
            "CHAT_PORT": "70000", "CHAT_AUTH_MODE": "none", "CHAT_PASSWORD_COST": "11", "CHAT_LOG_FORMAT": "xml",
        ])
        func message<Value>(_ setting: Setting<Value>) -> String {
            do {
                return "\(try source.value(setting))"
            } catch {
                return error.description
            }
        }
        #expect(message(Settings.port(default: 1)) == "CHAT_PORT is '70000', allowed is: 0–65535")
        #expect(message(Settings.authMode) == "CHAT_AUTH_MODE is 'none', allowed is: token, trusted")
        #expect(message(Settings.passwordCost) == "CHAT_PASSWORD_COST is '11', allowed is: 12–20")
        #expect(
            ConfigurationError(name: "N", held: "a\nb\u{85}c", isSecret: false, allowed: "d").description
                == "N is 'a b c', allowed is: d")
        #expect(message(Settings.logFormat) == "CHAT_LOG_FORMAT is 'xml', allowed is: json, text")
    }

    @Test(arguments: [
        ("http://user:hunter2@host/db", "http://***@host/db"), ("mysql://a:hunter2@b@host", "mysql://***@host"),
        ("hunter2", "***"), ("user:hunter2@host", "***"), ("mysql://host/db?password=hunter2", "mysql://host/db?***"),
        ("mysql://u@host/db?password=hunter2", "mysql://***@host/db?***"), ("mysql://u:hun?ter2@host", "mysql://***"),
        ("mysql://h/?password=hunter@2", "mysql://***"), ("mysql://host:5432/db", "mysql://host:5432/db"),
    ])
    func `secrets are masked`(value: String, shown: String) async throws {
        let source = try await source(["CHAT_DATABASE_URL": value])
        #expect {
            try source.value(Settings.databaseURL)
        } throws: { "\($0)".hasPrefix("CHAT_DATABASE_URL is '\(shown)', allowed is") }
    }

    @Test(arguments: ["http://", "https:///jwks.json", "file:///etc/passwd", "example.org"])
    func `text that is no web URL is refused`(text: String) async throws {
        let source = try await source(["CHAT_JWKS_URL": text])
        #expect(throws: ConfigurationError.self) { try source.value(Settings.jwksURL) }
    }

    /// Not the same as an absent one, which has a meaning of its own.
    @Test func `a wrong value of an optional setting is refused`() async throws {
        let wrong = try await source([
            "CHAT_FILE_STORE": "/data", "CHAT_PUBLIC_SYSTEM_URL": "nowhere", "CHAT_MESSAGE_HOOK_URL": "x",
            "CHAT_METRICS_PORT": "x",
        ])
        #expect(throws: ConfigurationError.self) { try wrong.value(Settings.fileStore) }
        #expect(throws: ConfigurationError.self) { try wrong.value(Settings.publicSystemURL) }
        #expect(throws: ConfigurationError.self) { try wrong.value(Settings.messageHookURL) }
        #expect(throws: ConfigurationError.self) { try wrong.value(Settings.metricsPort) }
        let absent = try await source()
        #expect(try absent.value(Settings.fileStore) == nil)
        #expect(try absent.value(Settings.publicSystemURL) == nil)
        #expect(try absent.value(Settings.messageHookURL) == nil)
        #expect(try absent.value(Settings.metricsPort) == nil)
    }

    @Test func `misspelt variables are found`() async throws {
        let source = try await source([
            "CHAT_PROT": "1", "CHAT_PORT": "1", "PATH": "x", "CHATTY": "1", "CHAT_A": "", "CHAT_URL": "x",
        ])
        // That of the terminal client is known.
        #expect(source.unknownNames == ["CHAT_A", "CHAT_PROT"])
        #expect(Settings.names.count == Settings.all.count)
    }

    @Test func `rates are read`() async throws {
        let source = try await source(["CHAT_LIMIT_POSTS": "7/m", "CHAT_LIMIT_FRAMES": "0"])
        #expect(try source.value(Settings.limitPosts) == Rate(7, per: .minute))
        #expect(try source.value(Settings.limitFrames).isUnlimited)
        #expect(try source.value(Settings.limitLoginsPerAccount) == Rate(10, per: .minute))
    }

    @Test(arguments: ["1", "1/h", "-1/s", "1.5/s", "/s", "1/s/s", "1000001/s", "1 /s"])
    func `other rates are refused`(text: String) async throws {
        let source = try await source(["CHAT_LIMIT_POSTS": text])
        #expect(throws: ConfigurationError.self) { try source.value(Settings.limitPosts) }
    }

    private func origins(_ text: String) async throws -> AllowedOrigins {
        try await source(["CHAT_ALLOWED_ORIGINS": text]).value(Settings.allowedOrigins(authMode: .token))
    }

    @Test func `origins are compared without case`() async throws {
        let origins = try await origins("https://Example.org, http://localhost:3000")
        #expect(origins.allows("https://example.org") && origins.allows("HTTP://LOCALHOST:3000"))
        #expect(origins.allows(nil))
        #expect(
            !origins.allows("https://example.org.evil.com") && !origins.allows("http://localhost")
                && !origins.allows("null"))
    }

    /// What is configured, and what a browser sends for it.
    @Test(arguments: [
        ("https://example.org:443", "https://example.org"), ("http://example.org:80", "http://example.org"),
        ("https://example.org:80", "https://example.org:80"), ("https://example.org:8443", "https://example.org:8443"),
        ("https://example.org:0443", "https://example.org"),
        ("HTTPS://BÜCHER.example", "https://xn--bcher-kva.example"),
        ("https://münchen.example:8443", "https://xn--mnchen-3ya.example:8443"),
        ("https://例え.テスト", "https://xn--r8jz45g.xn--zckzah"),
        ("https://xn--bcher-kva.example", "https://xn--bcher-kva.example"),
        ("https://Pročprostěnemluvíčesky.example", "https://xn--proprostnemluvesky-uyb24dma41a.example"),
        ("http://127.0.0.1:3000", "http://127.0.0.1:3000"), ("http://[::1]:3000", "http://[::1]:3000"),
        ("http://[0:0:0:0:0:0:0:1]", "http://[::1]"), ("http://[2001:DB8::1]", "http://[2001:db8::1]"),
        ("chrome-extension://abcdef", "chrome-extension://abcdef"), ("capacitor://localhost", "capacitor://localhost"),
        ("http://my_host", "http://my_host"),
    ])
    func `origins are as browsers send them`(configured: String, sent: String) async throws {
        let origins = try await origins(configured)
        #expect(origins == .these([sent]))
        #expect(origins.allows(sent) && origins.allows(configured))
    }

    @Test(arguments: [
        "example.org", "https://", "https://a/b", "https://a/", "://a", ",", "https://a,b", "null", "*,https://a",
        "https://*.example.org", "https://u@a", "https://a b", "https://a:", "https://a:0", "https://a:65536",
        "https://a:+80", "https://a:x", "https://a?b", "https://a#b", "ws://a", "wss://a", "file://a", "https://a..b",
        "https://.a", "https://1.2.3", "https://256.1.1.1", "https://[::1", "https://[::g]", "https://[]",
        "1https://a", "ht tps://a", "https://" + String(repeating: "a", count: 64),
    ])
    func `origins that no browser sends are refused`(text: String) async throws {
        await #expect(throws: ConfigurationError.self) { try await origins(text) }
    }

    @Test func `in trusted mode only pages of this machine may call`() async throws {
        let origins = try await source([:]).value(Settings.allowedOrigins(authMode: .trusted))
        #expect(origins == .loopback)
        let allowed = [
            "http://localhost", "https://localhost:8443", "http://127.0.0.1:8080", "http://[::1]:1",
            "HTTP://LocalHost:3000",
        ]
        #expect(allowed.allSatisfy { origins.allows($0) } && origins.allows(nil))
        let others = [
            "https://example.org", "http://localhost.example.org", "http://127.0.0.2", "http://127.0.0.1.example.org",
            "null",
            "http://[::2]", "file://localhost", "ws://localhost", "chrome-extension://localhost", "", "localhost",
        ]
        #expect(!others.contains { origins.allows($0) })
        #expect(try await source([:]).value(Settings.allowedOrigins(authMode: .token)) == .any)
        let named = try await source(["CHAT_ALLOWED_ORIGINS": "*"]).value(Settings.allowedOrigins(authMode: .trusted))
        #expect(named == .any)
    }
}
