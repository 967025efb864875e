import AsyncHTTPClient
import ChatClient
import Foundation
import NIOCore
import NIOHTTP1
import NIOSSL

/// The calls that make, renew and end a sign-in. The library does not have them: to it tokens come from the application.
struct SignInCalls: Sendable {
    private static let timeout = TimeAmount.seconds(10)
    private static let maximumBytes = 1 << 20

    private let url: String
    private let tls: TLSConfiguration?

    init(_ settings: ClientSettings) {
        url = settings.url
        tls = settings.tls
    }

    /// - Throws: ``ChatError`` with the server's code, or `network`.
    func login(_ username: String, password: String) async throws -> SignIn {
        let answer = try await call("login", ["username": .string(username), "password": .string(password)])
        return try Self.signIn(answer, username)
    }

    /// - Throws: ``ChatError``, with status 401 where the sign-in has ended.
    func refresh(_ signIn: SignIn) async throws -> SignIn {
        try Self.signIn(try await call("refresh", ["refreshToken": .string(signIn.refreshToken)]), signIn.username)
    }

    /// - Throws: ``ChatError``.
    func logout(_ signIn: SignIn) async throws {
        _ = try await call("logout", ["refreshToken": .string(signIn.refreshToken)])
    }

    private static func signIn(_ json: JSONValue, _ username: String) throws -> SignIn {
        guard let userID = json["userId"]?.integer, let token = json["accessToken"]?.string,
            let refreshToken = json["refreshToken"]?.string
        else { throw ChatError(.protocol, "The answer is not by the contract") }
        let life = json["expiresIn"]?.integer ?? 0
        return SignIn(
            userID: userID, username: username, refreshToken: refreshToken, accessToken: token,
            expiresAt: Int64(Date.now.timeIntervalSince1970 * 1000) + life * 1000)
    }

    private func call(_ name: String, _ body: JSONValue) async throws -> JSONValue {
        var request = HTTPClientRequest(url: "\(url)/api/v1/auth/\(name)")
        request.method = .POST
        request.headers.add(name: "content-type", value: "application/json")
        request.body = .bytes(ByteBuffer(string: body.text))
        request.tlsConfiguration = tls
        let (status, bytes): (Int, ByteBuffer)
        do {
            let answer = try await HTTPClient.shared.execute(request, timeout: Self.timeout)
            status = Int(answer.status.code)
            bytes = try await answer.body.collect(upTo: Self.maximumBytes)
        } catch {
            throw ChatError(.network, "\(url) cannot be reached: \(error)", isTemporary: true, cause: error)
        }
        let json = bytes.readableBytes == 0 ? .null : try? JSONValue(parsing: String(buffer: bytes))
        if (200..<300).contains(status), let json { return json }
        let isTemporary = status >= 500 || status == 408 || status == 425 || status == 429
        throw ChatError(
            .init(rawValue: json?["code"]?.string ?? "protocol"),
            json?["detail"]?.string ?? "\(url) answered \(status)", status: status, isTemporary: isTemporary)
    }
}

extension ClientSettings {
    /// `nil` if the authorities of the system suffice.
    var tls: TLSConfiguration? {
        guard let authorityFile else { return nil }
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.minimumTLSVersion = .tlsv12
        tls.additionalTrustRoots = [.file(authorityFile)]
        return tls
    }
}
