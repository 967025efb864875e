import CommonAuth
import CommonUtil
import HTTPTypes
import Testing

@Suite(.timeLimit(.minutes(2))) struct AuthenticatorTests {
    private func signer() async throws -> TokenSigner {
        let folder = try TemporaryFolder()
        return try await TokenSigner(keyFile: folder.path + "/key.pem", lifetimeSeconds: 60)
    }

    private func code(_ authenticator: Authenticator, _ headers: HTTPFields) async -> ErrorCode? {
        do {
            _ = try await authenticator.authenticate(headers: headers)
            return nil
        } catch {
            return (error as? ChatError)?.code
        }
    }

    @Test func `token mode needs a bearer token`() async throws {
        let signer = try await signer()
        let authenticator = Authenticator(mode: .token, verifier: TokenVerifier(keys: signer.keySource))
        let token = try await signer.sign(userID: UserID(5)).token
        for scheme in ["Bearer", "bearer", "BEARER "] {
            let user = try await authenticator.authenticate(headers: [.authorization: "\(scheme) \(token)"]).user
            #expect(user.userID == UserID(5))
        }
        #expect(await code(authenticator, [:]) == .missingToken)
        #expect(await code(authenticator, [.userID: "5"]) == .missingToken)
        for wrong in ["Basic \(token)", token, "Bearer", "Bearer ", "Bearer \(token) x", "Bearer x"] {
            #expect(await code(authenticator, [.authorization: wrong]) == .invalidToken)
        }
    }

    @Test func `trusted mode uses the header`() async throws {
        let authenticator = Authenticator(mode: .trusted, verifier: nil)
        let user = try await authenticator.authenticate(headers: [.userID: "77"]).user
        #expect(user == AuthenticatedUser(userID: UserID(77), tokenExpiresAt: nil))
        await #expect {
            try await authenticator.authenticate(headers: [.authorization: "Bearer x"])
        } throws: { error in
            let error = error as? ChatError
            return error?.code == .missingToken && error?.detail.contains("X-User-Id") == true
        }
        for wrong in ["0", "-1", "x", "1.5"] {
            #expect(await code(authenticator, [.userID: wrong]) == .invalidToken)
        }
        for tooLarge in ["9007199254740992", "9223372036854775808"] {
            #expect(await code(authenticator, [.userID: tooLarge]) == .validationFailed)
        }
    }

    @Test func `trusted mode accepts tokens too`() async throws {
        let signer = try await signer()
        let authenticator = Authenticator(mode: .trusted, verifier: TokenVerifier(keys: signer.keySource))
        let token = try await signer.sign(userID: UserID(5)).token
        let user = try await authenticator.authenticate(headers: [.authorization: "Bearer \(token)", .userID: "6"]).user
        #expect(user.userID == UserID(5))
        #expect(await code(authenticator, [.authorization: "Bearer x", .userID: "6"]) == .invalidToken)
    }
}
