import CLibPQ

/// A connection URI, parsed by libpq (`PQconninfoParse`).
struct ConnectionEndpoint: Sendable, CustomStringConvertible {
    /// libpq's keywords that the URI sets; the password is one of them.
    private let values: [String: String]

    init(url: String) throws(PostgresError) {
        // libpq also accepts `key=value` text, and its messages quote the URI with its password.
        guard let scheme = ["postgres://", "postgresql://"].first(where: url.hasPrefix), !url.utf8.contains(0) else {
            throw .invalidConfiguration("a connection URI begins with postgres:// or postgresql://")
        }
        guard Self.isUnambiguous(url.dropFirst(scheme.count)) else {
            throw .invalidConfiguration(
                "in a connection URI @ / % and : of user, password and database name are percent-encoded")
        }
        var complaint: UnsafeMutablePointer<CChar>?
        guard let options = PQconninfoParse(url, &complaint) else {
            PQfreemem(complaint)
            throw .invalidConfiguration(
                "not a connection URI of the form postgres://user:password@host:port/database?option=value")
        }
        defer { PQconninfoFree(options) }
        var values: [String: String] = [:]
        var option = options
        while let keyword = option.pointee.keyword {
            if let value = option.pointee.val {
                values[String(cString: keyword)] = String(cString: value)
            }
            option += 1
        }
        self.values = values
        let ports = Self.list(values["port"])
        guard ports.allSatisfy({ $0.isEmpty || UInt16($0).map { $0 > 0 } == true }) else {
            throw .invalidConfiguration("the port of a connection URI is a number from 1 to 65535")
        }
        guard hosts.count <= 1 || ports.count <= 1 || ports.count == hosts.count else {
            throw .invalidConfiguration("a connection URI with several hosts has one port, or one for each")
        }
    }

    var connectTimeoutSeconds: Int? {
        values["connect_timeout"].flatMap { Int($0) }.flatMap { $0 > 0 ? $0 : nil }
    }

    var description: String {
        let user = values["user"].map { "\($0)@" } ?? ""
        let port = values["port"].map { ":\($0)" } ?? ""
        return "postgres://\(user)\(values["host"] ?? values["hostaddr"] ?? "")\(port)/\(values["dbname"] ?? "")"
    }

    /// The hosts of the URI; empty where libpq chooses one.
    var hosts: [String] { Self.list(values["host"]) }

    /// Whether there is a name to look up before libpq may connect.
    var needsResolving: Bool { values["hostaddr"] == nil && !hosts.isEmpty }

    /// Whether the text after the scheme is unambiguous.
    ///
    /// libpq ends a password at its first `@` and a host at its first `/`. With unencoded characters a part of the
    /// password would be looked up as a host name, and be logged as one.
    private static func isUnambiguous(_ text: Substring) -> Bool {
        let authority = text.prefix { $0 != "/" }
        let credentials = authority.firstIndex(of: "@").map { text[..<$0] }
        let rest = credentials.map { text[$0.endIndex...].dropFirst() } ?? text
        let isOneColon = (credentials ?? "").count { $0 == ":" } <= 1
        return isOneColon && !rest.prefix { $0 != "?" }.contains("@")
    }

    /// The addresses of the hosts, in the order of the URI; a host with several addresses appears once for each.
    /// - Parameter addresses: those of each of ``hosts``.
    func targets(addresses: [[String]]) -> [ConnectTarget] {
        let ports = Self.list(values["port"])
        return zip(hosts.indices, addresses).flatMap { index, addresses in
            let port = ports.count > 1 ? ports[index] : ports.first ?? ""
            return addresses.map { ConnectTarget(host: hosts[index], address: $0, port: port) }
        }
    }

    /// libpq's keywords and values for `PQconnectStartParams`.
    ///
    /// - Parameter targets: empty where libpq uses the hosts of the URI.
    func keywords(_ configuration: PostgresConfiguration, targets: [ConnectTarget]) -> [(String, String)] {
        var merged = [
            "application_name": configuration.applicationName,
            "gssencmode": "disable",
            "keepalives": "1", "keepalives_idle": "30", "keepalives_interval": "10", "keepalives_count": "3",
            "tcp_user_timeout": "30000",
            // Skips a standby, and a demoted primary.
            "target_session_attrs": "read-write",
        ]
        if let trustFile = configuration.trustFile, values["sslmode"]?.hasPrefix("verify") == true {
            merged["sslrootcert"] = trustFile
        }
        merged.merge(values) { _, ofTheURI in ofTheURI }
        merged["client_encoding"] = "UTF8"
        if !targets.isEmpty {
            // The name stays beside the address, since TLS checks the certificate against it.
            merged["host"] = targets.map(\.host).joined(separator: ",")
            merged["hostaddr"] = targets.map(\.address).joined(separator: ",")
            merged["port"] = targets.map(\.port).joined(separator: ",")
        }
        return merged.map { ($0.key, $0.value) }
    }

    /// The SQL that makes the settings of a new session. They are not sent as `options`, which PgBouncer refuses.
    func sessionSetup(_ configuration: PostgresConfiguration) -> String {
        var settings = configuration.sessionSettings
        settings["statement_timeout"] = String(StatementTimeout.milliseconds(within: configuration.queryTimeout))
        settings["idle_in_transaction_session_timeout"] = String(
            configuration.idleInTransactionTimeout.wholeMilliseconds)
        // Settings in the URI take precedence, except for the time zone.
        for name in StartupOptions.names(in: values["options"] ?? "") { settings[name] = nil }
        settings["timezone"] = "UTC"
        let calls = settings.sorted { $0.key < $1.key }.map { name, value in
            "set_config('\(Self.quoted(name))', '\(Self.quoted(value))', false)"
        }
        return "SELECT pg_backend_pid(), \(calls.joined(separator: ", "))"
    }

    private static func quoted(_ text: String) -> String { text.replacing("'", with: "''") }

    private static func list(_ value: String?) -> [String] {
        value.map { $0.split(separator: ",", omittingEmptySubsequences: false).map(String.init) } ?? []
    }
}

/// The server's limit on a statement, a little below the caller's deadline: normally the server ends a slow statement
/// (57014), and its error, unlike a timeout of the client, proves that nothing was stored.
enum StatementTimeout {
    static func milliseconds(within timeout: Duration) -> Int64 {
        let whole = timeout.wholeMilliseconds
        return max(1, whole - min(500, whole / 10))
    }
}

extension Duration {
    /// Milliseconds, rounded up, so that a wait is never too short.
    var wholeMilliseconds: Int64 {
        let (seconds, attoseconds) = components
        let (scaled, overflow) = seconds.multipliedReportingOverflow(by: 1000)
        guard !overflow else { return seconds < 0 ? .min : Int64(Int32.max) }
        return min(Int64(Int32.max), scaled + (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000)
    }
}

/// The `options` of a connection: command-line switches for the server's session (PostgreSQL manual, `postgres(1)`).
enum StartupOptions {
    /// The settings that `-c name=value`, `-cname=value` and `--name=value` name, in lower case with underscores.
    static func names(in options: String) -> Set<String> {
        var names: Set<String> = []
        var isName = false
        for word in words(of: options) {
            if isName {
                names.insert(name(word))
            } else if word.hasPrefix("--") || word.hasPrefix("-c") {
                names.insert(name(word.dropFirst(2)))
            }
            isName = !isName && word == "-c"
        }
        names.remove("")
        return names
    }

    private static func name(_ assignment: some StringProtocol) -> String {
        assignment.prefix { $0 != "=" }.lowercased().replacing("-", with: "_")
    }

    /// Splits at white space without a preceding backslash.
    private static func words(of options: String) -> [String] {
        var words: [String] = []
        var word = ""
        var isEscaped = false
        for character in options {
            if isEscaped {
                word.append(character)
                isEscaped = false
            } else if character == "\\" {
                isEscaped = true
            } else if character.isWhitespace {
                if !word.isEmpty { words.append(word) }
                word = ""
            } else {
                word.append(character)
            }
        }
        return word.isEmpty ? words : words + [word]
    }
}
