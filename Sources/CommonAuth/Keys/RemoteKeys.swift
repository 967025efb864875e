import AsyncHTTPClient
import CommonUtil
import Logging
import NIOCore
import NIOHTTP1
import NIOSSL
import ServiceLifecycle
import Synchronization

/// The public keys of the system server, fetched over HTTP: at start with retries, then every few minutes, and at once for
/// a token with an unknown key. While the system server is away the known keys are kept.
public final class RemoteKeys: KeySource, Service {
    /// The intervals and timeouts of fetches.
    public struct Timing: Sendable {
        /// The time between two fetches.
        public var refreshInterval: Duration = .seconds(300)
        /// The shortest time between two fetches for unknown key ids, since clients can invent them.
        public var unknownKeyInterval: Duration = .seconds(60)
        /// The same after a fetch that failed: tokens of a new key are refused until one succeeds.
        public var failedUnknownKeyInterval: Duration = .seconds(5)
        /// The timeout of a fetch, its body included.
        public var requestTimeout: Duration = .seconds(5)
        /// The time between attempts after a failure.
        public var retry = Backoff(first: .milliseconds(100), longest: .seconds(10))

        /// Creates the defaults.
        public init() {}
    }

    private struct State {
        var keys: KeySet?
        var fetch: Task<KeySet?, Never>?
        /// The time from which the next fetch for an unknown key id is allowed. The fetches of ``run()`` do not depend on it.
        var nextUnknownKeyFetch: ContinuousClock.Instant?
        var lastFetchFailed = false
    }

    /// Maximum size of a JWKS; one with a hundred keys has about 20 KiB.
    static let maximumResponseBytes = 256 * 1_024

    private let url: String
    private let tls: TLSConfiguration
    private let httpClient: HTTPClient
    private let timing: Timing
    private let logger: Logger
    private let state = Mutex(State())

    /// - Parameters:
    ///   - url: the URL of the JWKS (`CHAT_JWKS_URL`).
    ///   - trustFile: a PEM file of certificate authorities to trust beside the system's.
    ///   - httpClient: makes the requests.
    ///   - timing: the intervals and timeouts.
    ///   - logger: logs failures.
    public init(
        url: String, trustFile: String? = nil, httpClient: HTTPClient = .shared, timing: Timing = Timing(),
        logger: Logger = Logger(label: "keys")
    ) {
        self.url = url
        tls = .client(trustFile: trustFile)
        self.httpClient = httpClient
        self.timing = timing
        self.logger = logger
    }

    /// The keys of the last successful fetch.
    public var keys: KeySet? { state.withLock { $0.keys } }

    /// Fetches the keys for a token with an unknown key, at most once a minute, or every five seconds until it succeeds.
    /// - Throws: `unavailable` (503) if no keys are known, or the last fetch failed.
    public func refreshedKeys() async throws(ChatError) -> KeySet {
        let mayFetch = state.withLock { state in
            let now = ContinuousClock.now
            if state.fetch != nil { return true }
            if let next = state.nextUnknownKeyFetch, now < next { return false }
            state.nextUnknownKeyFetch = now + timing.unknownKeyInterval
            return true
        }
        if mayFetch, let keys = await fetchOnce() { return keys }
        let (known, failed) = state.withLock { ($0.keys, $0.lastFetchFailed) }
        guard let known, !failed else { throw .unavailable("The keys that tokens are checked with cannot be fetched") }
        return known
    }

    /// Fetches the keys periodically. Returns on graceful shutdown.
    public func run() async throws {
        try? await cancelWhenGracefulShutdown {
            var retry = self.timing.retry
            while !Task.isCancelled {
                let isFetched = await self.fetchOnce() != nil
                if isFetched { retry.reset() }
                try await Task.sleep(for: isFetched ? self.timing.refreshInterval : retry.next())
            }
        }
    }

    // MARK: Fetching

    /// Joins the fetch in progress, or starts one.
    /// - Returns: `nil` if it failed; the known keys are kept.
    private func fetchOnce() async -> KeySet? {
        let fetch = state.withLock { state in
            if let fetch = state.fetch { return fetch }
            // An unstructured task, so that a cancelled caller does not end the fetch of others. Its timeout bounds it.
            let fetch = Task { await self.fetch() }
            state.fetch = fetch
            return fetch
        }
        return await fetch.value
    }

    private func fetch() async -> KeySet? {
        // The client's own timeout does not bound a body that trickles, and all later callers would join this fetch.
        let answer = await TimeLimit.within(timing.requestTimeout) { () -> Result<KeySet?, any Error> in
            do { return .success(try await self.request()) } catch { return .failure(error) }
        }
        let fetched: KeySet?
        do {
            guard let answer else { throw TooSlow() }
            fetched = try answer.get()
        } catch {
            logger.warning("Keys cannot be fetched", metadata: ["reason": "\(type(of: error))"])
            fetched = nil
        }
        state.withLock { state in
            state.fetch = nil
            state.lastFetchFailed = fetched == nil
            if let fetched {
                state.keys = fetched
            } else {
                let next = ContinuousClock.now + timing.failedUnknownKeyInterval
                state.nextUnknownKeyFetch = state.nextUnknownKeyFetch.map { min($0, next) }
            }
        }
        return fetched
    }

    private struct TooSlow: Error {}

    private func request() async throws -> KeySet? {
        let timeout = TimeAmount(timing.requestTimeout)
        var request = HTTPClientRequest(url: url)
        request.tlsConfiguration = tls
        let response = try await httpClient.execute(request, timeout: timeout, logger: nil)
        guard response.status == .ok else {
            logger.warning("Keys cannot be fetched", metadata: ["status": .stringConvertible(response.status.code)])
            return nil
        }
        let body = try await response.body.collect(upTo: Self.maximumResponseBytes)
        guard let keys = KeySet(jwks: Array(body.readableBytesView)) else {
            logger.warning("Keys cannot be fetched", metadata: ["reason": "no usable key in the response"])
            return nil
        }
        return keys
    }
}

extension TLSConfiguration {
    /// That of connections which a server makes: TLS 1.2 at least, certificates verified.
    /// - Parameter trustFile: a PEM file of certificate authorities to trust beside the system's.
    public static func client(trustFile: String?) -> TLSConfiguration {
        var tls = makeClientConfiguration()
        tls.minimumTLSVersion = .tlsv12
        tls.additionalTrustRoots = trustFile.map { [.file($0)] } ?? []
        return tls
    }
}
