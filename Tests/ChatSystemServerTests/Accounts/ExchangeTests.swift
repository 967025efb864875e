import ChatLocalStack
import ChatTestSupport
import CommonUtil
import Foundation
import Testing

/// The issuer is another system server of the platform itself: it signs with EdDSA and serves its keys.
@Suite(.timeLimit(.minutes(2))) struct ExchangeTests {
    private func withIssuer(
        _ stack: SharedStack, _ more: String = "", settings: [String: String] = [:],
        _ body: (RESTClient, String) async throws -> Void
    ) async throws {
        let folder = try PrivateFolder.temporary(prefix: "issuers")
        defer { PrivateFolder.remove(folder) }
        let file = folder + "/issuers.json"
        let list = """
            [{"issuer": "chat", "audience": "chat", "prefix": "\(Unique.name("crm"))/",
            "jwksURL": "\(stack.processes.systemServer.url)/.well-known/jwks.json"\(more)}]
            """
        try Data(list.utf8).write(to: URL(fileURLWithPath: file))
        try await stack.withServer(.system, settings.merging(["CHAT_ISSUERS_FILE": file]) { $1 }) { server in
            try await body(RESTClient(baseURL: server.url), file)
        }
    }

    private func exchange(
        _ client: RESTClient, _ token: String?, headers: [(String, String)] = []
    ) async throws -> RESTResponse {
        try await client.send(.post, "/api/v1/auth/exchange", ["token": .string(token ?? "")], headers: headers)
    }

    @Test func `a token becomes a sign-in of the same user each time, until its issuer is taken out`() async throws {
        let stack = try await SharedStack.running()
        let outside = try await stack.user()
        try await withIssuer(stack) { client, file in
            let pair = try await exchange(client, outside.token).require(200, "exchange").json
            let user = outside.signedIn(
                token: pair["accessToken"]?.string ?? "", refreshToken: pair["refreshToken"]?.string ?? "")
            let profile = try await stack.system.get("/api/v1/users/me", as: user.credentials).require(200, "me").json
            let externalID = profile["externalId"]?.string ?? ""
            #expect(externalID.hasSuffix("/\(outside.userID)") && profile["displayName"]?.string == externalID)
            #expect(profile["userId"] == pair["userId"] && pair["userId"] != .integer(outside.userID))
            #expect(try await exchange(client, outside.token).json["userId"] == pair["userId"])
            // Refreshed like any other.
            let next = try await client.post("/api/v1/auth/refresh", ["refreshToken": pair["refreshToken"] ?? .null])
                .require(200, "refresh").json
            // Refused tokens are not exchanged.
            for wrong in [nil, "a.b.c", (outside.token ?? "") + "x", outside.refreshToken] {
                let refused = try await exchange(client, wrong)
                #expect(refused.status == 401 && refused.code == "invalid_token")
            }
            #expect(try await stack.system.post("/api/v1/auth/exchange", ["token": "a.b.c"]).status == 401)
            // A disabled user gets no sign-in.
            let key = try await stack.key(.users)
            let path =
                "/api/v1/admin/users/" + (externalID.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? "")
            for (isDisabled, status) in [(true, 403), (false, 200)] {
                try await client.send(.put, path, ["disabled": .bool(isDisabled)], as: key.credentials).require(
                    200, "put")
                #expect(try await exchange(client, outside.token).status == status)
            }
            // Disabling has ended the sign-ins from before.
            #expect(
                try await client.post("/api/v1/auth/refresh", ["refreshToken": next["refreshToken"] ?? .null]).status
                    == 401)
            let last = try await exchange(client, outside.token).json
            try Data("[]".utf8).write(to: URL(fileURLWithPath: file))
            let deadline = ContinuousClock.now + .seconds(20)
            while try await exchange(client, outside.token).status != 401 {
                try #require(ContinuousClock.now < deadline)
                // The file is looked at every five seconds: there is no event to wait for but the response.
                try await Task.sleep(for: .milliseconds(100))
            }
            #expect(
                try await client.post("/api/v1/auth/refresh", ["refreshToken": last["refreshToken"] ?? .null]).status
                    == 401)
        }
    }

    @Test func `failed exchanges count as logins of the address, others do not`() async throws {
        let stack = try await SharedStack.running()
        let outside = try await stack.user()
        let settings = ["CHAT_LIMIT_LOGINS_PER_ADDRESS": "1/m", "CHAT_TRUSTED_PROXIES": "127.0.0.0/8"]
        // Whose bucket no other test has taken from.
        let address = [("X-Forwarded-For", "198.18.0.2")]
        try await withIssuer(stack, settings: settings) { client, _ async throws in
            for _ in 0..<10 { #expect(try await exchange(client, outside.token, headers: address).status == 200) }
            // The burst is five times the rate, and one more comes each minute.
            var failed = 0
            while try await exchange(client, "a.b.c", headers: address).status == 401 { failed += 1 }
            #expect((5...7).contains(failed))
            let login: JSON = ["username": .string(outside.username), "password": .string(SharedStack.password)]
            #expect(try await client.send(.post, "/api/v1/auth/login", login, headers: address).status == 429)
            #expect(try await exchange(client, outside.token, headers: address).status == 200)
        }
    }

    @Test func `an issuer can do without refresh tokens`() async throws {
        let stack = try await SharedStack.running()
        let outside = try await stack.user()
        try await withIssuer(stack, #", "refresh": false"#) { client, _ in
            let answer = try await exchange(client, outside.token).require(200, "exchange").json
            #expect(answer["refreshToken"] == nil && answer["tokenType"] == "Bearer")
            let user = outside.signedIn(token: answer["accessToken"]?.string ?? "")
            let sessions = try await client.get("/api/v1/sessions", as: user.credentials).require(200, "sessions").json
            #expect(sessions["items"]?.array?.count == 1 && sessions["items"]?[0]?["isCurrent"] == true)
            #expect(try await client.post("/api/v1/auth/logout-all", [:], as: user.credentials).status == 204)
            #expect(try await client.get("/api/v1/users/me", as: user.credentials).status == 401)
        }
    }

    @Test func `who has no password erases itself with a fresh token of its issuer`() async throws {
        let stack = try await SharedStack.running()
        let users = try await stack.users(2)
        let (outside, other) = (users[0], users[1])
        try await withIssuer(stack) { client, _ in
            let pair = try await exchange(client, outside.token).require(200, "exchange").json
            let user = outside.signedIn(token: pair["accessToken"]?.string ?? "")
            func erase(_ body: JSON) async throws -> RESTResponse {
                try await client.post("/api/v1/users/me/erase", body, as: user.credentials)
            }
            #expect(try await erase(["token": .string(other.token ?? "")]).code == "invalid_token")
            #expect(try await erase(["token": "a.b.c"]).status == 401)
            #expect(try await erase(["password": .string(outside.password)]).code == "invalid_credentials")
            #expect(try await erase([:]).status == 422)
            #expect(try await erase(["token": .string(outside.token ?? "")]).status == 204)
            #expect(try await client.get("/api/v1/users/me", as: user.credentials).status == 401)
            // Seen again it is a new user.
            #expect(try await exchange(client, outside.token).json["userId"] != pair["userId"])
        }
    }

    @Test func `a wrong file stops a server with 78`() async throws {
        let stack = try await SharedStack.running()
        let server = try stack.makeServer(.system, ["CHAT_ISSUERS_FILE": "/nowhere/issuers.json"])
        await #expect(throws: LocalStackError.self) { try await server.start(timeout: .seconds(30)) }
        try? await server.kill()
        let log = try String(contentsOfFile: server.configuration.logFile, encoding: .utf8)
        #expect(log.contains("CHAT_ISSUERS_FILE") && log.contains("/nowhere/issuers.json"))
    }
}
