import ChatTestSupport

/// What is about no room, or makes one, in the words of docs/security.md.
enum ElsewhereAction: String, CaseIterable, Sendable {
    case register = "`POST /auth/register`"
    case login = "`POST /auth/login`"
    case refresh = "`POST /auth/refresh`"
    case logout = "`POST /auth/logout`"
    case logoutAll = "`POST /auth/logout-all`"
    case changePassword = "`PUT /users/me/password`"
    case me = "`GET /users/me`"
    case changeMe = "`PATCH /users/me`"
    case user = "`GET /users/{id}`"
    case users = "`GET /users`"
    case makeRoom = "`POST /rooms`"
    case rooms = "`GET /rooms`"
    case publicRooms = "`GET /rooms/public`"
    case makeKey = "`POST /admin/keys`"
    case listKeys = "`GET /admin/keys`"
    case revokeKey = "`DELETE /admin/keys/{name}`"
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
    var endsSignIns: Bool { self == .logoutAll || self == .changePassword }

    /// Tries it at every server that has it.
    /// - Parameter account: whose password and refresh token are used.
    /// - Returns: the statuses that came, joined by a comma where they differ.
    func outcome(_ stack: SharedStack, _ account: TestUser, as credentials: Credentials) async throws -> String {
        let servers =
            switch self {
            case .live, .ready, .metrics: [stack.system, stack.messages(), stack.webSocket()]
            case .description, .page: [stack.system, stack.messages()]
            case .socketPath: [stack.webSocket()]
            case .changes, .makeWebhook, .webhooks, .webhook, .changeWebhook, .removeWebhook, .pauseWebhook,
                .resumeWebhook, .replayWebhook, .deliveries:
                [stack.messages()]
            default: [stack.system]
            }
        var statuses: Set<Int> = []
        for server in servers {
            let (method, path, body) = request(account)
            let answer =
                if let body {
                    try await server.send(method, path, body, as: credentials)
                } else {
                    try await server.send(method, path, as: credentials)
                }
            statuses.insert(answer.status)
        }
        return statuses.sorted().map(String.init).joined(separator: ",")
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
        case .me: (.get, "/api/v1/users/me", nil)
        case .changeMe: (.patch, "/api/v1/users/me", ["displayName": "Somebody"])
        case .user: (.get, "/api/v1/users/\(account.userID)", nil)
        case .users: (.get, "/api/v1/users?query=u&limit=1", nil)
        case .makeRoom: (.post, "/api/v1/rooms", ["name": "A room", "type": "private"])
        case .rooms: (.get, "/api/v1/rooms?limit=1", nil)
        case .publicRooms: (.get, "/api/v1/rooms/public?limit=1", nil)
        case .makeKey: (.post, "/api/v1/admin/keys", ["name": "mine", "scopes": ["keys"]])
        case .listKeys: (.get, "/api/v1/admin/keys", nil)
        case .revokeKey: (.delete, "/api/v1/admin/keys/mine", nil)
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
