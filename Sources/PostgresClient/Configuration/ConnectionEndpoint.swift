import CLibPQ

/// What a connection URI says, read by libpq itself (`PQconninfoParse`).
struct ConnectionEndpoint: Sendable, CustomStringConvertible {
    /// libpq's keywords that the URI sets; the password is one of them.
    private let values: [String: String]

    init(url: String) throws(PostgresError) {
        // libpq would also take `key=value` text, and its complaints quote the URI with its password: say it ourselves.
        guard ["postgres://", "postgresql://"].contains(where: url.hasPrefix), !url.utf8.contains(0) else {
            throw .invalidConfiguration("a connection URI begins with postgres:// or postgresql://")
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

    /// libpq's keywords and values for `PQconnectStartParams`.
    ///
    /// `addresses` is what each of ``hosts`` resolved to. `host` is kept beside `hostaddr`, since TLS checks the
    /// certificate against it; a host with several addresses is named once for each.
    func keywords(_ configuration: PostgresConfiguration, addresses: [[String]]) -> [(String, String)] {
        let statementTimeout = StatementTimeout.milliseconds(within: configuration.queryTimeout)
        var merged = [
            "application_name": configuration.applicationName,
            "gssencmode": "disable",
            "keepalives": "1", "keepalives_idle": "30", "keepalives_interval": "10", "keepalives_count": "3",
            "tcp_user_timeout": "30000",
        ]
        if let trustFile = configuration.trustFile, values["sslmode"]?.hasPrefix("verify") == true {
            merged["sslrootcert"] = trustFile
        }
        merged.merge(values) { _, ofTheURI in ofTheURI }
        merged["client_encoding"] = "UTF8"
        let settings = configuration.sessionSettings.sorted { $0.key < $1.key }.map { "-c \($0.key)=\($0.value)" }
        // What the URI sets comes later and wins, but for the time zone.
        merged["options"] = """
            \(settings.joined(separator: " ")) \
            -c statement_timeout=\(statementTimeout) \
            -c idle_in_transaction_session_timeout=\(configuration.idleInTransactionTimeout.wholeMilliseconds) \
            \(values["options"] ?? "") -c TimeZone=UTC
            """
        if !addresses.isEmpty {
            let ports = Self.list(values["port"])
            let targets = zip(hosts.indices, addresses).flatMap { index, addresses in
                let port = ports.count > 1 ? ports[index] : ports.first ?? ""
                return addresses.map { (host: hosts[index], address: $0, port: port) }
            }
            merged["host"] = targets.map(\.host).joined(separator: ",")
            merged["hostaddr"] = targets.map(\.address).joined(separator: ",")
            merged["port"] = targets.map(\.port).joined(separator: ",")
        }
        return merged.map { ($0.key, $0.value) }
    }

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
