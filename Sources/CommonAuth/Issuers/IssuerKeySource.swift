import AsyncHTTPClient
import CommonUtil
import Logging
import NIOCore
import NIOHTTP1
import NIOSSL
import Synchronization

/// The keys of one issuer, fetched over HTTPS. Each issuer has one of these, so a slow one holds up no other.
final class IssuerKeySource: Sendable {
    private struct State {
        var lookup = IssuerKeyLookup()
        var fetch: Task<Void, Never>?
    }

    /// Time for a fetch in all.
    private static let timeout = Duration.seconds(5)
    private static let maximumBytes = 1_024 * 1_024

    let issuer: Issuer
    private let httpClient: IssuerHTTPClient
    private let tls: TLSConfiguration
    private let logger: Logger
    private let state = Mutex(State())

    init(_ issuer: Issuer, httpClient: IssuerHTTPClient, tls: TLSConfiguration, logger: Logger) {
        self.issuer = issuer
        self.httpClient = httpClient
        self.tls = tls
        self.logger = logger
    }

    /// Verifies the signature of a token.
    /// - Throws: `invalid_token` if no key of the issuer has signed it; `issuer_unavailable` while that cannot be said.
    func verify(_ token: ForeignToken) async throws(ChatError) {
        let asked = ContinuousClock.now
        var hasFetched = false
        while true {
            let answer = state.withLock {
                $0.lookup.keys(for: token.algorithm, keyID: token.keyID, asked: asked, at: .now)
            }
            switch answer {
            case .keys(let keys):
                for key in keys {
                    if await key.verifies(token.text) { return }
                }
                throw .badToken
            case .unknown: throw .badToken
            case .fetch where !hasFetched:
                hasFetched = true
                await fetchOnce()
            case .fetch: throw Self.unavailable(1)
            case .unavailable(let seconds): throw Self.unavailable(seconds)
            }
        }
    }

    /// Fetches the keys where that is due, without waiting.
    func refreshIfDue() {
        guard state.withLock({ $0.fetch == nil && $0.lookup.isDue(at: .now) }) else { return }
        Task { await self.fetchOnce() }
    }

    private static func unavailable(_ seconds: Int) -> ChatError {
        ChatError(
            .issuerUnavailable, "The keys of the token's issuer cannot be had right now", retryAfterSeconds: seconds)
    }

    // MARK: Fetching

    /// Joins the fetch in progress, or starts one.
    private func fetchOnce() async {
        let fetch = state.withLock { state in
            if let fetch = state.fetch { return fetch }
            // An unstructured task, so that a cancelled caller does not end the fetch of others. Its timeout bounds it.
            let fetch = Task { await self.fetch() }
            state.fetch = fetch
            return fetch
        }
        await fetch.value
    }

    private func fetch() async {
        let begun = ContinuousClock.now
        state.withLock { $0.lookup.begin(at: begun) }
        var keySet: IssuerKeySet?
        do {
            keySet = try await request(deadline: begun + Self.timeout)
        } catch {
            logger.warning(
                "Keys of an issuer cannot be fetched",
                metadata: [
                    "issuer": "\(issuer.issuer)",
                    "reason": "\((error as? FetchFailure)?.reason ?? "\(type(of: error))")",
                ])
        }
        let fetched = keySet
        state.withLock { state in
            state.fetch = nil
            state.lookup.end(fetched, begun: begun)
        }
    }

    private struct FetchFailure: Error {
        let reason: String
    }

    private func request(deadline: ContinuousClock.Instant) async throws -> IssuerKeySet {
        let url = if let url = issuer.jwksURL { url } else { try await discoveredURL(deadline: deadline) }
        guard let keySet = await IssuerKeySet(jwks: try await get(url, deadline: deadline)) else {
            throw FetchFailure(reason: "not a key set")
        }
        return keySet
    }

    /// The URL of the keys by OpenID Connect Discovery 1.0, section 4.
    private func discoveredURL(deadline: ContinuousClock.Instant) async throws -> String {
        let base = issuer.issuer.hasSuffix("/") ? String(issuer.issuer.dropLast()) : issuer.issuer
        let document = try await get(base + "/.well-known/openid-configuration", deadline: deadline)
        guard case .object(let members)? = try? JSONParser.parse(document) else {
            throw FetchFailure(reason: "the discovery document is not JSON")
        }
        guard members["issuer"] == .string(issuer.issuer) else {
            throw FetchFailure(reason: "the discovery document is another issuer's")
        }
        guard case .string(let url)? = members["jwks_uri"], KeyURL.isAllowed(url) else {
            throw FetchFailure(reason: "the discovery document has no https jwks_uri")
        }
        return url
    }

    private func get(_ url: String, deadline: ContinuousClock.Instant) async throws -> [UInt8] {
        let rest = deadline - .now
        guard rest > .zero else { throw FetchFailure(reason: "too slow") }
        var request = HTTPClientRequest(url: url)
        request.headers.add(name: "Accept", value: "application/json")
        request.tlsConfiguration = tls
        let client = httpClient.client
        return try await withThrowingTaskGroup(of: [UInt8].self) { group in
            group.addTask { [request] in
                let response = try await client.execute(request, timeout: TimeAmount(rest), logger: nil)
                guard response.status == .ok else {
                    throw FetchFailure(reason: "status \(response.status.code)")
                }
                return Array(try await response.body.collect(upTo: Self.maximumBytes).readableBytesView)
            }
            // The client's own timeout does not bound a body that trickles.
            group.addTask {
                try await Task.sleep(for: rest)
                throw FetchFailure(reason: "too slow")
            }
            defer { group.cancelAll() }
            guard let body = try await group.next() else { throw FetchFailure(reason: "cancelled") }
            return body
        }
    }
}

/// An HTTP client that follows no redirects, made when it is first needed.
final class IssuerHTTPClient: Sendable {
    private let made = Mutex(HTTPClient?.none)

    var client: HTTPClient {
        made.withLock { made in
            if let made { return made }
            var configuration = HTTPClient.Configuration()
            configuration.redirectConfiguration = .disallow
            let client = HTTPClient(configuration: configuration)
            made = client
            return client
        }
    }

    /// Ends the client. A fetch that comes later makes another one, which lasts as long as the process.
    func shutDown() async {
        let client = made.withLock { made in
            defer { made = nil }
            return made
        }
        try? await client?.shutdown()
    }
}
