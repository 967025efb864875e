import ChatTestSupport
import Testing

/// One sign-in of a user, and the servers that it is shown to.
struct SignIn {
    let stack: SharedStack
    let user: TestUser
    let roomID: String
    var messages: [RESTClient]
    var webSocketPorts: [Int]

    init(_ stack: SharedStack, _ user: TestUser, _ roomID: String) {
        self.stack = stack
        self.user = user
        self.roomID = roomID
        messages = [stack.messages(0), stack.messages(1)]
        webSocketPorts = [stack.webSocketPort(0), stack.webSocketPort(1)]
    }

    func socket(_ port: Int) async throws -> WebSocketTestClient {
        try await stack.socket(roomID, as: user, port: port)
    }

    /// A socket of the room and one of the user on each WebSocket server.
    func sockets() async throws -> [WebSocketTestClient] {
        var sockets: [WebSocketTestClient] = []
        for port in webSocketPorts {
            sockets.append(try await stack.readySocket(roomID, as: user, port: port))
            sockets.append(try await stack.syncedSocket(as: user, port: port))
        }
        return sockets
    }

    /// What each server says to the access token: statuses of the REST servers, close codes of the others.
    func answers() async throws -> [Int?] {
        var answers: [Int?] = [try await stack.system.get("/api/v1/users/me", as: user.credentials).status]
        for server in messages {
            answers.append(
                try await server.get("/api/v1/rooms/\(roomID)/events", as: user.credentials).status)
        }
        for port in webSocketPorts {
            let socket = try await socket(port)
            answers.append(try await socket.refusal()?.code.map(Int.init))
            socket.drop()
        }
        return answers
    }

    func isTaken() async throws -> Bool {
        try await answers() == messages.map { _ in 200 } + [200] + webSocketPorts.map { _ in nil }
    }

    /// Waits until no server takes the access token any more.
    func isRefused() async throws {
        let expected: [Int?] = [401] + messages.map { _ in 401 } + webSocketPorts.map { _ in 4401 }
        let deadline = ContinuousClock.now + .seconds(30)
        var answers = try await answers()
        while answers != expected {
            try #require(ContinuousClock.now < deadline, "\(answers)")
            // There is no event to wait for but the response.
            try await Task.sleep(for: .milliseconds(50))
            answers = try await self.answers()
        }
    }

    func logOut() async throws {
        try await stack.system.post("/api/v1/auth/logout", ["refreshToken": .string(user.refreshToken)])
            .require(204, "logout")
    }

    func refresh() async throws -> RESTResponse {
        try await stack.system.post("/api/v1/auth/refresh", ["refreshToken": .string(user.refreshToken)])
    }
}

extension SignIn {
    static func again(_ stack: SharedStack, _ user: TestUser, password: String? = nil) async throws -> TestUser {
        let password = password ?? user.password
        let login = try await stack.system.post(
            "/api/v1/auth/login", ["username": .string(user.username), "password": .string(password)]
        ).require(200, "login").json
        return user.signedIn(
            token: login["accessToken"]?.string ?? "", refreshToken: login["refreshToken"]?.string ?? "",
            password: password)
    }

    /// A user with two sign-ins and a room.
    static func two(_ stack: SharedStack) async throws -> (SignIn, SignIn) {
        let user = try await stack.user()
        let roomID = try await stack.room(of: user)
        return (SignIn(stack, user, roomID), SignIn(stack, try await again(stack, user), roomID))
    }

    static func expectClosed(_ sockets: [WebSocketTestClient]) async throws {
        for socket in sockets {
            let close = try await socket.closeFrame()
            #expect(close.code == 4401 && !close.reason.isEmpty)
        }
    }

    static func expectOpen(_ sockets: [WebSocketTestClient]) async throws {
        for socket in sockets {
            try await socket.send(["type": "ping"])
            try await socket.event(type: "pong")
        }
    }

    // MARK: Metrics

    static let pushed = #"chat_revocations_received_total{from="redis"}"#
    static let read = #"chat_revocations_received_total{from="postgres"}"#

    /// The value of a series in the metrics of a server.
    static func count(_ series: String, in metrics: String) -> Int {
        let line = metrics.split(separator: "\n").first { $0.hasPrefix(series + " ") }
        return line.flatMap { $0.split(separator: " ").last }.flatMap { Double($0) }.map { Int($0) } ?? 0
    }
}
