import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import NIOSSL

/// Who asks.
public enum Credentials: Sendable, Hashable {
    case none
    /// An access token, as `Authorization: Bearer`.
    case token(String)
    /// A user of `trusted` mode, as `X-User-Id`.
    case user(Int64)

    var headers: [(String, String)] {
        switch self {
        case .none: []
        case .token(let token): [("Authorization", "Bearer \(token)")]
        case .user(let userID): [("X-User-Id", String(userID))]
        }
    }
}

/// A REST client of one server. Calls fail after a deadline; connections are kept alive and shared.
public struct RESTClient: Sendable {
    public struct Method: Sendable, Hashable {
        let name: String

        public init(_ name: String) { self.name = name }

        public static let get = Method("GET")
        public static let post = Method("POST")
        public static let put = Method("PUT")
        public static let patch = Method("PATCH")
        public static let delete = Method("DELETE")
    }

    private static let maximumAnswerBytes = 16 * 1024 * 1024

    // Lives as long as the process: the connections of all tests.
    private static let client: HTTPClient = {
        var configuration = HTTPClient.Configuration()
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = 128
        configuration.redirectConfiguration = .disallow
        return HTTPClient(configuration: configuration)
    }()

    /// `http://host:port`, or https
    public let baseURL: String
    /// What every answer is held against, where there is one.
    private let description: Result<OpenAPIDescription, any Error>?
    private let tls: TLSConfiguration?
    /// Time for a call up to the head of its answer.
    private let deadline: TimeAmount

    /// - Parameters:
    ///   - trusting: PEM file of the only authority that may sign the server's certificate.
    ///   - deadline: time after which a call fails.
    public init(baseURL: String, trusting: String? = nil, deadline: Duration = .seconds(30)) {
        self.init(baseURL: baseURL, trusting: trusting, deadline: deadline, describedBy: nil)
    }

    /// A client whose calls fail with ``OpenAPIDescription/Undescribed`` where an answer is not as it is described.
    init(
        baseURL: String, trusting: String? = nil, deadline: Duration = .seconds(30),
        describedBy description: Result<OpenAPIDescription, any Error>?
    ) {
        self.baseURL = baseURL
        self.description = description
        self.deadline = TimeAmount(deadline)
        tls = trusting.map { .trusting($0) }
    }

    public func get(
        _ path: String, as caller: Credentials = .none, headers: [(String, String)] = []
    ) async throws -> RESTResponse {
        try await send(.get, path, as: caller, headers: headers)
    }

    /// Sends a JSON body with its content type.
    public func send(
        _ method: Method, _ path: String, _ body: JSON, as caller: Credentials = .none,
        headers: [(String, String)] = []
    ) async throws -> RESTResponse {
        try await send(
            method, path, as: caller, headers: [("Content-Type", "application/json")] + headers,
            bytes: Array(body.text.utf8))
    }

    public func post(_ path: String, _ body: JSON, as caller: Credentials = .none) async throws -> RESTResponse {
        try await send(.post, path, body, as: caller)
    }

    /// Sends any bytes, or none, with exactly these headers and the caller's.
    public func send(
        _ method: Method, _ path: String, as caller: Credentials = .none, headers: [(String, String)] = [],
        bytes: [UInt8]? = nil
    ) async throws -> RESTResponse {
        var request = HTTPClientRequest(url: baseURL + path)
        request.method = HTTPMethod(rawValue: method.name)
        request.tlsConfiguration = tls
        for (name, value) in caller.headers + headers { request.headers.add(name: name, value: value) }
        if let bytes { request.body = .bytes(bytes) }
        let response = try await Self.client.execute(request, timeout: deadline)
        let body = try await response.body.collect(upTo: Self.maximumAnswerBytes)
        let answer = RESTResponse(
            status: Int(response.status.code), headers: response.headers, bytes: Array(body.readableBytesView))
        try description?.get().check(answer, to: method.name, path, headers: request.headers, bytes: bytes)
        return answer
    }
}

extension TLSConfiguration {
    /// That of a client which trusts one authority alone.
    public static func trusting(_ file: String) -> TLSConfiguration {
        var tls = makeClientConfiguration()
        tls.trustRoots = .file(file)
        return tls
    }
}

/// An answer: its status, its headers and its body, parsed if it is JSON.
public struct RESTResponse: Sendable {
    public let status: Int
    public let headers: HTTPHeaders
    public let bytes: [UInt8]
    /// `null` where the body is not JSON.
    public let json: JSON

    init(status: Int, headers: HTTPHeaders, bytes: [UInt8]) {
        self.status = status
        self.headers = headers
        self.bytes = bytes
        json = (try? JSON(parsing: bytes)) ?? .null
    }

    public var text: String { String(decoding: bytes, as: UTF8.self) }

    /// The first value of a header.
    public func header(_ name: String) -> String? { headers.first(name: name) }

    /// The stable `code` of an error answer.
    public var code: String? { json["code"]?.string }

    /// The fields that a validation error names.
    public var fields: [String] { (json["errors"]?.array ?? []).compactMap { $0["field"]?.string } }
}

extension RESTResponse: CustomStringConvertible {
    public var description: String { "\(status) \(text.prefix(500))" }
}

extension RESTClient {
    /// Repeats a request until the response is the wanted one. For health, which has no event to await.
    /// - Throws: ``UnexpectedAnswer`` with the last answer, or the last failure to connect.
    @discardableResult
    public func waitForAnswer(
        _ path: String, _ status: Int, within time: Duration = .seconds(60),
        where isWanted: (RESTResponse) -> Bool = { _ in true }
    ) async throws -> RESTResponse {
        let deadline = ContinuousClock.now + time
        while true {
            do {
                let answer = try await get(path)
                if answer.status == status, isWanted(answer) { return answer }
                guard ContinuousClock.now < deadline else {
                    throw UnexpectedAnswer(answer, to: "\(path), \(status) awaited for \(time)")
                }
            } catch {
                // The server may not listen yet.
                guard ContinuousClock.now < deadline else { throw error }
            }
            try await Task.sleep(for: .milliseconds(50))
        }
    }
}
