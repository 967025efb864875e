import FoundationEssentials

/// All settings of the platform. The README lists the same names; no other code reads the environment.
public enum Settings {
    /// The address to listen on.
    public static let host = text(
        "CHAT_HOST", default: "127.0.0.1", allowed: "an address or name of this machine to listen on")

    /// The port to listen on.
    /// - Parameter port: the default of the server.
    public static func port(default port: Int) -> Setting<Int> {
        integer("CHAT_PORT", default: port, in: 0...65_535)
    }
    /// A separate port for `/metrics`, which is then missing from the public one.
    public static let metricsPort = Setting<Int?>(
        "CHAT_METRICS_PORT", default: "", allowed: "1–65535, or nothing for /metrics on CHAT_PORT",
        parse: { text in
            guard !text.isEmpty else { return .some(nil) }
            guard let port = Int(text), (1...65_535).contains(port) else { return nil }
            return .some(port)
        })

    /// The connection URI of PostgreSQL.
    public static let databaseURL = Setting<String>(
        "CHAT_DATABASE_URL", default: "postgres://chat@127.0.0.1:5432/chat",
        allowed: "a PostgreSQL connection URI, postgres://user:password@host:port/database", isSecret: true,
        parse: { $0.hasPrefix("postgres://") || $0.hasPrefix("postgresql://") ? $0 : nil })
    /// The URL of Redis.
    public static let redisURL = Setting<String>(
        "CHAT_REDIS_URL", default: "redis://127.0.0.1:6379",
        allowed: "redis://:password@host:port/db, or rediss:// for TLS", isSecret: true,
        parse: { $0.hasPrefix("redis://") || $0.hasPrefix("rediss://") ? $0 : nil })
    /// The subscription mode of a WebSocket server.
    public static let redisSubscribe = choice("CHAT_REDIS_SUBSCRIBE", RedisSubscribeMode.self, default: .pattern)

    /// The certificate of the port's TLS. Set together with ``tlsKeyFile``, or not at all.
    public static let tlsCertificateFile = file(
        "CHAT_TLS_CERTIFICATE_FILE", allowed: "a PEM file: the server's certificate, then its intermediate certificates"
    )
    /// The private key of the port's TLS.
    public static let tlsKeyFile = file(
        "CHAT_TLS_KEY_FILE", allowed: "a PEM file with the private key of the certificate")
    /// Further certificate authorities for connections to PostgreSQL, Redis and the system server.
    public static let tlsCAFile = file("CHAT_TLS_CA_FILE", allowed: "a PEM file with certificates of authorities")

    /// How callers are authenticated.
    public static let authMode = choice("CHAT_AUTH_MODE", AuthMode.self, default: .token)
    /// The folder for the files of a process.
    public static let dataDirectory = text("CHAT_DATA_DIR", default: ".chat", allowed: "a folder")
    /// The private key that signs access tokens.
    public static func signingKeyFile(dataDirectory: String) -> Setting<String> {
        text("CHAT_SIGNING_KEY_FILE", default: dataDirectory + "/signing-key.pem", allowed: "a file")
    }
    /// The URL of the public keys.
    public static let jwksURL = Setting<String>(
        "CHAT_JWKS_URL", default: "http://127.0.0.1:8080/.well-known/jwks.json", allowed: "an http or https URL",
        isSecret: true,
        parse: { isWebURL($0) ? $0 : nil })
    /// The lifetime of access tokens, in seconds.
    public static let accessTokenSeconds = integer("CHAT_ACCESS_TOKEN_SECONDS", default: 900, in: 1...86_400)
    /// The lifetime of refresh tokens, in seconds.
    public static let refreshTokenSeconds = integer(
        "CHAT_REFRESH_TOKEN_SECONDS", default: 2_592_000, in: 1...31_536_000)
    /// The cost of password hashes: log2 of scrypt's N.
    public static let passwordCost = integer("CHAT_PASSWORD_COST", default: 17, in: 12...20)

    /// The issuers whose tokens can be exchanged for sign-ins.
    public static let issuersFile = file("CHAT_ISSUERS_FILE", allowed: "a JSON file with a list of issuers")
    /// Whether anybody may register.
    public static let registration = choice("CHAT_REGISTRATION", Registration.self, default: .open)
    /// Whether there are guests.
    public static let guests = choice("CHAT_GUESTS", GuestAccess.self, default: .off)
    /// Who sees the external ids of users.
    public static let externalIDs = choice("CHAT_EXTERNAL_IDS", ExternalIDVisibility.self, default: .all)

    /// The web origins whose pages may call.
    ///
    /// In `trusted` mode any page of the web could act as any user in the browser of a person who can reach the server, so
    /// the default is the pages of this machine.
    public static func allowedOrigins(authMode: AuthMode) -> Setting<AllowedOrigins> {
        Setting(
            "CHAT_ALLOWED_ORIGINS",
            default: authMode == .trusted ? AllowedOrigins.loopbackText : AllowedOrigins.anyText,
            allowed: "*, loopback, or a comma list of origins such as https://example.org",
            parse: AllowedOrigins.init(text:))
    }
    /// The proxies whose `X-Forwarded-For` is used.
    public static let trustedProxies = Setting<[AddressRange]>(
        "CHAT_TRUSTED_PROXIES", default: "", allowed: "a comma list of addresses or CIDR ranges",
        parse: AddressRange.list(text:))

    /// Further addresses of webhooks, besides those that are globally reachable; to these plain http is allowed, too.
    public static let webhookAllow = Setting<[AddressRange]>(
        "CHAT_WEBHOOK_ALLOW", default: "", allowed: "a comma list of addresses or CIDR ranges",
        parse: AddressRange.list(text:))

    /// The URL that is asked about posts and edits of users before they are stored.
    public static let messageHookURL = Setting<String?>(
        "CHAT_MESSAGE_HOOK_URL", default: "",
        allowed: "an https URL, http only to an address or name of your own network, or nothing", isSecret: true,
        parse: { optional($0) { isWebURL($0) ? $0 : nil } })
    /// The secret that signs those requests.
    public static let messageHookSecret = Setting<String?>(
        "CHAT_MESSAGE_HOOK_SECRET", default: "",
        allowed: "whsec_ and the base64 of 24–64 bytes, set together with CHAT_MESSAGE_HOOK_URL", isSecret: true,
        parse: { .some($0.isEmpty ? nil : $0) })
    /// What becomes of a message about which there was no valid answer.
    public static let messageHookFails = choice("CHAT_MESSAGE_HOOK_FAILS", MessageHookFailure.self, default: .open)
    /// Where a message server keeps files; `nil` for the folder `files` in its ``dataDirectory``.
    public static let fileStore = Setting<FileStoreLocation?>(
        "CHAT_FILE_STORE", default: "", allowed: FileStoreLocation.rule,
        parse: { optional($0) { FileStoreLocation(text: $0) } })
    /// The size of one file, in bytes.
    public static let fileMaxBytes = integer("CHAT_FILE_MAX_BYTES", default: 52_428_800, in: 1...1 << 40)
    /// The size of all files of a user, in bytes; 0 for no limit.
    public static let fileQuotaBytes = integer("CHAT_FILE_QUOTA_BYTES", default: 0, in: 0...1 << 50)
    /// The size of all uploads in progress of a message server, in bytes.
    public static let fileSpoolBytes = integer("CHAT_FILE_SPOOL_BYTES", default: 2_147_483_648, in: 1...1 << 50)
    /// The time for which a file is kept that no message names, in seconds.
    public static let fileUnusedSeconds = integer("CHAT_FILE_UNUSED_SECONDS", default: 86_400, in: 1...31_536_000)
    /// The id of the access key of an S3 store.
    public static let s3AccessKey = credential("CHAT_S3_ACCESS_KEY")
    /// The secret that signs requests to an S3 store.
    public static let s3SecretKey = credential("CHAT_S3_SECRET_KEY")
    /// The token of temporary credentials of an S3 store.
    public static let s3SessionToken = credential("CHAT_S3_SESSION_TOKEN")

    /// The address of the system server for clients: where it is not the port that they asked.
    public static let publicSystemURL = Setting<PublicAddress?>(
        "CHAT_PUBLIC_SYSTEM_URL", default: "",
        allowed: "a URL such as https://chat.example.org, or :PORT of the host that the client asked, or nothing",
        parse: { optional($0) { PublicAddress(text: $0, schemes: ["http", "https"]) } })
    /// The address of the message server for browsers.
    public static let publicMessageURL = publicAddress(
        "CHAT_PUBLIC_MESSAGE_URL", default: ":8081", schemes: ["http", "https"], example: "https://chat.example.org")
    /// The address of the WebSocket server for browsers.
    public static let publicWebSocketURL = publicAddress(
        "CHAT_PUBLIC_WEBSOCKET_URL", default: ":8082", schemes: ["ws", "wss"], example: "wss://chat.example.org")

    /// The lowest level that is logged.
    public static let logLevel = choice("CHAT_LOG_LEVEL", LogLevel.self, default: .info)
    /// The format of log lines.
    public static let logFormat = choice("CHAT_LOG_FORMAT", LogFormat.self, default: .json)

    /// Posts, edits and deletions per user.
    public static let limitPosts = rate("CHAT_LIMIT_POSTS", default: "100/s")
    /// Frames per socket.
    public static let limitFrames = rate("CHAT_LIMIT_FRAMES", default: "20/s")
    /// Logins per account.
    public static let limitLoginsPerAccount = rate("CHAT_LIMIT_LOGINS_PER_ACCOUNT", default: "10/m")
    /// Logins per address.
    public static let limitLoginsPerAddress = rate("CHAT_LIMIT_LOGINS_PER_ADDRESS", default: "60/m")
    /// Registrations per address.
    public static let limitRegistrations = rate("CHAT_LIMIT_REGISTRATIONS", default: "60/m")
    /// Refreshes of tokens per address.
    public static let limitRefreshes = rate("CHAT_LIMIT_REFRESHES", default: "60/m")
    /// Changes of rooms, members and names per user.
    public static let limitChanges = rate("CHAT_LIMIT_CHANGES", default: "10/s")
    /// Reading calls per user.
    public static let limitReads = rate("CHAT_LIMIT_READS", default: "100/s")
    /// Uploads of files per user.
    public static let limitFiles = rate("CHAT_LIMIT_FILES", default: "20/m")
    /// Open sockets per user.
    public static let limitSocketsPerUser = count("CHAT_LIMIT_SOCKETS_PER_USER", default: 200)
    /// Open sockets per address.
    public static let limitSocketsPerAddress = count("CHAT_LIMIT_SOCKETS_PER_ADDRESS", default: 0)
    /// Open sockets of a server.
    public static let limitSockets = count("CHAT_LIMIT_SOCKETS", default: 0)
    /// Open connections per address.
    public static let limitConnectionsPerAddress = count("CHAT_LIMIT_CONNECTIONS_PER_ADDRESS", default: 1_000)
    /// Rooms of a user.
    public static let limitRoomsPerUser = count("CHAT_LIMIT_ROOMS_PER_USER", default: 10_000)
    /// Members of a room.
    public static let limitMembersPerRoom = count("CHAT_LIMIT_MEMBERS_PER_ROOM", default: 100_000)
    /// The memory of a WebSocket server for recent events of all rooms together, in bytes.
    public static let ringBytes = integer("CHAT_RING_BYTES", default: 67_108_864, in: 0...1 << 40)
    /// The time over which a stopping WebSocket server closes its sockets, in seconds.
    public static let drainSeconds = integer("CHAT_DRAIN_SECONDS", default: 20, in: 0...600)

    /// Variables that switch off every rate and every limit on sockets and connections, for a stack that one client loads:
    /// benchmarks, faults, tests.
    public static let withoutLimits: [String: String] = Dictionary(
        uniqueKeysWithValues: [
            limitPosts.name, limitFrames.name, limitLoginsPerAccount.name, limitLoginsPerAddress.name,
            limitRegistrations.name, limitRefreshes.name, limitChanges.name, limitReads.name, limitFiles.name,
            limitSocketsPerUser.name, limitSocketsPerAddress.name, limitSockets.name, limitConnectionsPerAddress.name,
        ].map { ($0, "0") })

    /// A JSON file of settings: `{"chat": {"port": 8081}}`. An addition to the contract.
    public static let configFile = text("CHAT_CONFIG_FILE", default: "", allowed: "a JSON file")

    /// All settings.
    public static let all: [AnySetting] = [
        AnySetting(host), AnySetting(port(default: 0)), AnySetting(metricsPort), AnySetting(databaseURL),
        AnySetting(redisURL), AnySetting(redisSubscribe), AnySetting(tlsCertificateFile), AnySetting(tlsKeyFile),
        AnySetting(tlsCAFile), AnySetting(authMode), AnySetting(dataDirectory),
        AnySetting(signingKeyFile(dataDirectory: "$CHAT_DATA_DIR")), AnySetting(jwksURL),
        AnySetting(accessTokenSeconds), AnySetting(refreshTokenSeconds), AnySetting(passwordCost),
        AnySetting(issuersFile), AnySetting(registration), AnySetting(guests), AnySetting(externalIDs),
        AnySetting(allowedOrigins(authMode: .token)), AnySetting(trustedProxies), AnySetting(webhookAllow),
        AnySetting(messageHookURL), AnySetting(messageHookSecret), AnySetting(messageHookFails),
        AnySetting(fileStore), AnySetting(fileMaxBytes), AnySetting(fileQuotaBytes), AnySetting(fileSpoolBytes),
        AnySetting(fileUnusedSeconds), AnySetting(s3AccessKey), AnySetting(s3SecretKey), AnySetting(s3SessionToken),
        AnySetting(publicSystemURL),
        AnySetting(publicMessageURL), AnySetting(publicWebSocketURL),
        AnySetting(logLevel), AnySetting(logFormat), AnySetting(limitPosts),
        AnySetting(limitFrames), AnySetting(limitLoginsPerAccount), AnySetting(limitLoginsPerAddress),
        AnySetting(limitRegistrations), AnySetting(limitRefreshes), AnySetting(limitChanges), AnySetting(limitReads),
        AnySetting(limitFiles), AnySetting(limitConnectionsPerAddress), AnySetting(limitSocketsPerUser),
        AnySetting(limitSocketsPerAddress),
        AnySetting(limitSockets), AnySetting(limitRoomsPerUser), AnySetting(limitMembersPerRoom),
        AnySetting(ringBytes), AnySetting(drainSeconds), AnySetting(configFile),
    ]

    /// The names of all settings.
    public static let names = Set(all.map(\.name))
}

// MARK: Kinds of settings

extension Settings {
    private static func isWebURL(_ text: String) -> Bool {
        guard text.hasPrefix("http://") || text.hasPrefix("https://"), let host = URL(string: text)?.host() else {
            return false
        }
        return !host.isEmpty
    }

    /// Reads a value that may be absent. A text that `parse` refuses is a wrong value, not an absent one.
    private static func optional<Value>(_ text: String, _ parse: (String) -> Value?) -> Value?? {
        if text.isEmpty { return .some(nil) }
        guard let value = parse(text) else { return nil }
        return .some(value)
    }

    private static func text(_ name: String, default value: String, allowed: String) -> Setting<String> {
        Setting(name, default: value, allowed: allowed, parse: { $0 })
    }

    /// A secret that is sent in a header field.
    private static func credential(_ name: String) -> Setting<String> {
        Setting(
            name, default: "", allowed: "visible ASCII characters, or nothing", isSecret: true,
            parse: { $0.utf8.allSatisfy { (0x21...0x7E).contains($0) } ? $0 : nil })
    }

    /// An optional file.
    private static func file(_ name: String, allowed: String) -> Setting<String?> {
        Setting(name, default: "", allowed: allowed, parse: { .some($0.isEmpty ? nil : $0) })
    }

    private static func integer(_ name: String, default value: Int, in range: ClosedRange<Int>) -> Setting<Int> {
        Setting(
            name, default: String(value), allowed: "\(range.lowerBound)–\(range.upperBound)",
            parse: { text in Int(text).flatMap { range.contains($0) ? $0 : nil } })
    }

    /// A maximum number, with 0 for no limit.
    private static func count(_ name: String, default value: Int) -> Setting<Int> {
        Setting(
            name, default: String(value), allowed: "a whole number, 0 for no limit",
            parse: { text in Int(text).flatMap { (0...10_000_000).contains($0) ? $0 : nil } })
    }

    private static func publicAddress(
        _ name: String, default text: String, schemes: Set<String>, example: String
    ) -> Setting<PublicAddress> {
        Setting(
            name, default: text, allowed: "a URL such as \(example), or :PORT of the host that the page came from",
            parse: { PublicAddress(text: $0, schemes: schemes) })
    }

    private static func rate(_ name: String, default text: String) -> Setting<Rate> {
        Setting(
            name, default: text, allowed: "N/s or N/m with N up to 1000000, or 0 for no limit",
            parse: { Rate(text: $0) })
    }

    private static func choice<Choice: RawRepresentable<String> & CaseIterable & Sendable>(
        _ name: String, _: Choice.Type, default value: Choice
    ) -> Setting<Choice> {
        Setting(
            name, default: value.rawValue, allowed: Choice.allCases.map(\.rawValue).joined(separator: ", "),
            parse: { Choice(rawValue: $0) })
    }
}

/// How callers are authenticated.
public enum AuthMode: String, CaseIterable, Sendable {
    /// A valid access token is required.
    case token
    /// The user id of the request is used unchecked: for local work, or behind a gateway that authenticates.
    case trusted
}

/// Whether anybody may register.
public enum Registration: String, CaseIterable, Sendable {
    case open
    /// Users come from a backend with a server's key.
    case closed
}

/// Whether there are guests: users for 24 hours, in public rooms only.
public enum GuestAccess: String, CaseIterable, Sendable {
    case off
    case on
}

/// Who sees the ids that users have in the database of the program that the chat is part of.
public enum ExternalIDVisibility: String, CaseIterable, Sendable {
    /// Everyone who sees the user.
    case all
    /// Servers with a key, and each user its own.
    case keys
}

/// What becomes of a message where the hook that decides about it fails.
public enum MessageHookFailure: String, CaseIterable, Sendable {
    /// It is stored as it was sent.
    case open
    /// It is refused with 503.
    case closed
}

/// How a WebSocket server subscribes to events on Redis.
public enum RedisSubscribeMode: String, CaseIterable, Sendable {
    /// One `PSUBSCRIBE chat:room:*`.
    case pattern
    /// `SUBSCRIBE` of only the rooms that have sessions on this server.
    case room
}

/// The levels of log lines, as in swift-log.
public enum LogLevel: String, CaseIterable, Sendable {
    case trace, debug, info, notice, warning, error, critical
}

/// The formats of log lines: JSON objects, or text for people.
public enum LogFormat: String, CaseIterable, Sendable {
    case json, text
}
