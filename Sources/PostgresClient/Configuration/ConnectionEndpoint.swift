import CLibPQ

/// What a connection URI says, read by libpq itself (`PQconninfoParse`).
struct ConnectionEndpoint: Sendable, CustomStringConvertible {
    /// libpq's keywords that the URI sets; the password is one of them.
    private let values: [String: String]

    init(url: String) throws(PostgresError) {
        // libpq would also take `key=value` text, and its complaints quote the URI with its password: say it ourselves.
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

    /// The hosts of the URI; none when it leaves the choice to libpq.
    var hosts: [String] { Self.list(values["host"]) }

    /// True when there is a name to look up before libpq may connect.
    var needsResolving: Bool { values["hostaddr"] == nil && !hosts.isEmpty }

    /// Whether the text after the scheme can be read in one way only.
    ///
    /// libpq ends a password at its first `@`, takes what comes before a `/` for a host, and connects to whatever that
    /// makes of the rest: a part of the password would be looked up as a name and be logged as one.
    private static func isUnambiguous(_ text: Substring) -> Bool {
        let authority = text.prefix { $0 != "/" }
        let credentials = authority.firstIndex(of: "@").map { text[..<$0] }
        let rest = credentials.map { text[$0.endIndex...].dropFirst() } ?? text
        let isOneColon = (credentials ?? "").count { $0 == ":" } <= 1
        return isOneColon && !rest.prefix { $0 != "?" }.contains("@")
    }

    /// Where a connection may lead to, in the order of the URI; a host with several addresses is there once for each.
    ///
    /// - Parameter addresses: what each of ``hosts`` resolved to.
    func targets(addresses: [[String]]) -> [ConnectTarget] {
        let ports = Self.list(values["port"])
        return zip(hosts.indices, addresses).flatMap { index, addresses in
            let port = ports.count > 1 ? ports[index] : ports.first ?? ""
            return addresses.map { ConnectTarget(host: hosts[index], address: $0, port: port) }
        }
    }

    /// libpq's keywords and values for `PQconnectStartParams`.
    ///
    /// - Parameter targets: none where libpq is to find the way by what the URI says.
    func keywords(_ configuration: PostgresConfiguration, targets: [ConnectTarget]) -> [(String, String)] {
        var merged = [
            "application_name": configuration.applicationName,
            "gssencmode": "disable",
            "keepalives": "1", "keepalives_idle": "30", "keepalives_interval": "10", "keepalives_count": "3",
            "tcp_user_timeout": "30000",
            // A standby, or a primary that was demoted, is passed over.
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

    /// Run on each new connection. Not as `options` of its start: PgBouncer refuses those.
    func sessionSetup(_ configuration: PostgresConfiguration) -> String {
        var settings = configuration.sessionSettings
        settings["statement_timeout"] = String(StatementTimeout.milliseconds(within: configuration.queryTimeout))
        settings["idle_in_transaction_session_timeout"] = String(
            configuration.idleInTransactionTimeout.wholeMilliseconds)
        // What the URI sets wins, but for the time zone.
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

/// The server's own limit on a statement, a little below the caller's deadline: normally the server is the one to end
/// a slow statement (57014), and its answer, unlike a timeout of ours, says for certain that nothing was stored.
enum StatementTimeout {
    static func milliseconds(within timeout: Duration) -> Int64 {
        let whole = timeout.wholeMilliseconds
        return max(1, whole - min(500, whole / 10))
    }
}

extension Duration {
    /// Rounded up, so that a wait of this many milliseconds is never too short.
    var wholeMilliseconds: Int64 {
        let (seconds, attoseconds) = components
        let (scaled, overflow) = seconds.multipliedReportingOverflow(by: 1000)
        guard !overflow else { return seconds < 0 ? .min : Int64(Int32.max) }
        return min(Int64(Int32.max), scaled + (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000)
    }
}
