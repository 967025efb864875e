/// One who speaks to the system in a test.
public struct TestUser: Sendable, Hashable {
    public let userID: Int64
    public let username: String
    public let password: String
    public let credentials: Credentials
    /// Empty in `trusted` mode.
    public let refreshToken: String

    /// The access token; `nil` in `trusted` mode.
    public var token: String? { if case .token(let token) = credentials { token } else { nil } }

    /// The same user with another sign-in.
    public func signedIn(token: String, refreshToken: String = "", password: String? = nil) -> TestUser {
        TestUser(
            userID: userID, username: username, password: password ?? self.password, credentials: .token(token),
            refreshToken: refreshToken)
    }
}

/// An answer that a test's set-up did not expect.
public struct UnexpectedAnswer: Error, CustomStringConvertible {
    public let description: String

    init(_ response: RESTResponse, to what: String) { description = "\(what): \(response)" }
}

extension RESTResponse {
    /// For set-up steps: the answer if it has this status.
    /// - Throws: ``UnexpectedAnswer``.
    @discardableResult
    public func require(_ status: Int, _ what: String) throws -> RESTResponse {
        guard self.status == status else { throw UnexpectedAnswer(self, to: what) }
        return self
    }
}

extension SharedStack {
    public static let password = "correct horse battery"

    /// A new user: registered and logged in, or in `trusted` mode just a number.
    public func user() async throws -> TestUser {
        let username = Unique.name("u")
        guard mode == .token else {
            let userID = Unique.userID
            return TestUser(
                userID: userID, username: username, password: "", credentials: .user(userID), refreshToken: "")
        }
        return try await registrations.withSlot { try await self.registered(username) }
    }

    private func registered(_ username: String) async throws -> TestUser {
        let account: JSON = ["username": .string(username), "password": .string(Self.password)]
        try await system.post("/api/v1/auth/register", account).require(201, "register")
        let login = try await system.post("/api/v1/auth/login", account).require(200, "login")
        guard let userID = login.json["userId"]?.int, let token = login.json["accessToken"]?.string,
            let refreshToken = login.json["refreshToken"]?.string
        else { throw UnexpectedAnswer(login, to: "login") }
        return TestUser(
            userID: userID, username: username, password: Self.password, credentials: .token(token),
            refreshToken: refreshToken)
    }

    /// Registers `count` new users.
    public func users(_ count: Int) async throws -> [TestUser] {
        try await withThrowingTaskGroup(of: TestUser.self) { group in
            for _ in 0..<count { group.addTask { try await self.user() } }
            return try await group.reduce(into: []) { $0.append($1) }
        }
    }
}
