import ChatTestSupport

/// What is about no room, or makes one, in the words of docs/security.md.
enum ElsewhereAction: String, CaseIterable, Sendable {
    case register = "`POST /auth/register`"
    case login = "`POST /auth/login`"
    case refresh = "`POST /auth/refresh`"
    case exchange = "`POST /auth/exchange`"
    case guest = "`POST /auth/guest`"
    case logout = "`POST /auth/logout`"
    case logoutAll = "`POST /auth/logout-all`"
    case changePassword = "`PUT /users/me/password`"
    case eraseMe = "`POST /users/me/erase`"
    case sessions = "`GET /sessions`"
    case endSession = "`DELETE /sessions/{id}`"
    case me = "`GET /users/me`"
    case changeMe = "`PATCH /users/me`"
    case user = "`GET /users/{id}`"
    case users = "`GET /users`"
    case makeRoom = "`POST /rooms`"
    case rooms = "`GET /rooms`"
    case publicRooms = "`GET /rooms/public`"
    case userByExternalID = "`GET /users/by-external-id/{externalId}`"
    case makeKey = "`POST /admin/keys`"
    case listKeys = "`GET /admin/keys`"
    case revokeKey = "`DELETE /admin/keys/{name}`"
    case putUser = "`PUT /admin/users/{user}`"
    case eraseUser = "`DELETE /admin/users/{user}`"
    case managedUsers = "`GET /admin/users`"
    case issueToken = "`POST /admin/users/{user}/tokens`"
    case signOutUser = "`POST /admin/users/{user}/sign-out`"
    case allRooms = "`GET /admin/rooms`"
    case putRoom = "`PUT /admin/rooms/{roomId}`"
    case importHistory = "`POST /admin/import`"
    case files = "`GET /files`"
    case changes = "`GET /changes`"
    case makeWebhook = "`POST /webhooks`"
    case webhooks = "`GET /webhooks`"
    case webhook = "`GET /webhooks/{id}`"
    case changeWebhook = "`PATCH /webhooks/{id}`"
    case removeWebhook = "`DELETE /webhooks/{id}`"
    case pauseWebhook = "`POST /webhooks/{id}/pause`"
    case resumeWebhook = "`POST /webhooks/{id}/resume`"
    case replayWebhook = "`POST /webhooks/{id}/replay`"
    case deliveries = "`GET /webhooks/{id}/deliveries`"
    case keys = "`GET /.well-known/jwks.json`"
    case live = "`GET /health/live`"
    case ready = "`GET /health/ready`"
    case metrics = "`GET /metrics`"
    case description = "`GET /openapi.yaml`"
    case page = "`GET /docs`"
    case socketPath = "`GET /ws/chat`, no handshake"

    /// Whether it changes who is signed in: the people who are shared by all tests must not try that as themselves.
    var endsSignIns: Bool { [.logoutAll, .changePassword, .eraseMe].contains(self) }

    /// Tries it at every server that has it.
    /// - Parameter account: whose password and refresh token are used.
    /// - Returns: the statuses that came, joined by a comma where they differ.
    func outcome(_ stack: SharedStack, _ account: TestUser, as credentials: Credentials) async throws -> String {
        let servers =
            switch self {
            case .live, .ready, .metrics: [stack.system, stack.messages(), stack.webSocket()]
            case .description, .page: [stack.system, stack.messages()]
            case .socketPath: [stack.webSocket()]
            case .files, .changes, .makeWebhook, .webhooks, .webhook, .changeWebhook, .removeWebhook, .pauseWebhook,
                .resumeWebhook, .replayWebhook, .deliveries:
                [stack.messages()]
            default: [stack.system]
            }
        var statuses: Set<Int> = []
        for server in servers {
            var status = try await status(of: server, account, as: credentials)
            // A check of readiness may fail on a busy machine. Its result is kept for a second.
            let deadline = ContinuousClock.now + .seconds(60)
            while self == .ready, status == 503, ContinuousClock.now < deadline {
                try await Task.sleep(for: .milliseconds(100))
                status = try await self.status(of: server, account, as: credentials)
            }
            statuses.insert(status)
        }
        return statuses.sorted().map(String.init).joined(separator: ",")
    }

    private func status(of server: RESTClient, _ account: TestUser, as credentials: Credentials) async throws -> Int {
        let (method, path, body) = request(account)
        guard let body else { return try await server.send(method, path, as: credentials).status }
        return try await server.send(method, path, body, as: credentials).status
    }

    private func request(_ account: TestUser) -> (RESTClient.Method, String, JSON?) {
        let password: JSON = ["username": .string(account.username), "password": .string(account.password)]
        let token: JSON = ["refreshToken": .string(account.refreshToken)]
        let newcomer: JSON = ["username": .string(Unique.name("u")), "password": .string(SharedStack.password)]
        return switch self {
        case .register: (.post, "/api/v1/auth/register", newcomer)
        case .login: (.post, "/api/v1/auth/login", password)
        case .refresh: (.post, "/api/v1/auth/refresh", token)
        case .logout: (.post, "/api/v1/auth/logout", token)
        case .logoutAll: (.post, "/api/v1/auth/logout-all", nil)
        case .changePassword:
            (
                .put, "/api/v1/users/me/password",
                ["current": .string(account.password), "next": .string(Unique.name("password"))]
            )
        case .exchange: (.post, "/api/v1/auth/exchange", ["token": "a.b.c"])
        case .guest: (.post, "/api/v1/auth/guest", nil)
        case .eraseMe: (.post, "/api/v1/users/me/erase", ["password": .string(account.password)])
        case .sessions: (.get, "/api/v1/sessions", nil)
        case .endSession: (.delete, "/api/v1/sessions/1", nil)
        case .me: (.get, "/api/v1/users/me", nil)
        case .changeMe: (.patch, "/api/v1/users/me", ["displayName": "Somebody"])
        case .user: (.get, "/api/v1/users/\(account.userID)", nil)
        case .users: (.get, "/api/v1/users?query=u&limit=1", nil)
        case .makeRoom: (.post, "/api/v1/rooms", ["name": "A room", "type": "private"])
        case .rooms: (.get, "/api/v1/rooms?limit=1", nil)
        case .publicRooms: (.get, "/api/v1/rooms/public?limit=1", nil)
        case .userByExternalID: (.get, "/api/v1/users/by-external-id/nobody", nil)
        case .makeKey: (.post, "/api/v1/admin/keys", ["name": "mine", "scopes": ["keys"]])
        case .listKeys: (.get, "/api/v1/admin/keys", nil)
        case .revokeKey: (.delete, "/api/v1/admin/keys/mine", nil)
        case .putUser: (.put, "/api/v1/admin/users/mine", [:])
        case .eraseUser: (.delete, "/api/v1/admin/users/\(account.userID)", nil)
        case .managedUsers: (.get, "/api/v1/admin/users", nil)
        case .issueToken: (.post, "/api/v1/admin/users/\(account.userID)/tokens", nil)
        case .signOutUser: (.post, "/api/v1/admin/users/\(account.userID)/sign-out", nil)
        case .allRooms: (.get, "/api/v1/admin/rooms", nil)
        case .putRoom: (.put, "/api/v1/admin/rooms/mine", ["name": "Mine", "type": "public"])
        case .importHistory: (.post, "/api/v1/admin/import", nil)
        case .files: (.get, "/api/v1/files?ids=none", nil)
        case .changes: (.get, "/api/v1/changes?after=begin", nil)
        case .makeWebhook: (.post, "/api/v1/webhooks", nil)
        case .webhooks: (.get, "/api/v1/webhooks", nil)
        case .webhook: (.get, "/api/v1/webhooks/mine", nil)
        case .changeWebhook: (.patch, "/api/v1/webhooks/mine", nil)
        case .removeWebhook: (.delete, "/api/v1/webhooks/mine", nil)
        case .pauseWebhook: (.post, "/api/v1/webhooks/mine/pause", nil)
        case .resumeWebhook: (.post, "/api/v1/webhooks/mine/resume", nil)
        case .replayWebhook: (.post, "/api/v1/webhooks/mine/replay", nil)
        case .deliveries: (.get, "/api/v1/webhooks/mine/deliveries", nil)
        case .keys: (.get, "/.well-known/jwks.json", nil)
        case .live: (.get, "/health/live", nil)
        case .ready: (.get, "/health/ready", nil)
        case .metrics: (.get, "/metrics", nil)
        case .description: (.get, "/openapi.yaml", nil)
        case .page: (.get, "/docs", nil)
        case .socketPath: (.get, "/ws/chat?roomId=r", nil)
        }
    }
}
