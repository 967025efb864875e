import AsyncHTTPClient
import CommonUtil
import Logging
import NIOCore
import NIOHTTP1
import NIOSSL
import ServiceLifecycle
import Synchronization

/// The system server's public keys, fetched over HTTP: at start until it works, then every few minutes, and at once
/// when a token names a key that is not known. While the system server is away the known keys stay.
public final class RemoteKeys: KeySource, Service {
    /// How often, and for how long.
    public struct Timing: Sendable {
        public var refreshInterval: Duration = .seconds(300)
        /// Unknown key ids cause at most one fetch in this time: they can be made up.
        public var unknownKeyInterval: Duration = .seconds(60)
        public var requestTimeout: Duration = .seconds(5)
        public var retry = Backoff(first: .milliseconds(100), longest: .seconds(10))

        public init() {}
    }

    private struct State {
        var keys: KeySet?
        var fetch: Task<KeySet?, Never>?
        /// Set by unknown key ids only, so that it never holds up the fetches of ``run()``.
        var lastUnknownKeyFetch: ContinuousClock.Instant?
        var lastFetchFailed = false
    }

    /// A set of a hundred keys has about 20 KiB.
    static let maximumResponseBytes = 256 * 1_024

    private let url: String
    private let tls: TLSConfiguration
    private let httpClient: HTTPClient
    private let timing: Timing
    private let logger: Logger
    private let state = Mutex(State())

    /// The URL is that of the JWKS (`CHAT_JWKS_URL`). `trustFile` is a PEM file of certificate authorities that may
    /// vouch for an https server, beside those of the operating system.
    public init(
        url: String, trustFile: String? = nil, httpClient: HTTPClient = .shared, timing: Timing = Timing(),
        logger: Logger = Logger(label: "keys")
    ) {
        self.url = url
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.minimumTLSVersion = .tlsv12
        tls.additionalTrustRoots = trustFile.map { [.file($0)] } ?? []
        self.tls = tls
        self.httpClient = httpClient
        self.timing = timing
        self.logger = logger
    }

    public var keys: KeySet? { state.withLock { $0.keys } }

    public func refreshedKeys() async throws(ChatError) -> KeySet {
        let mayFetch = state.withLock { state in
            let now = ContinuousClock.now
            if state.fetch != nil { return true }
            if let last = state.lastUnknownKeyFetch, now - last < timing.unknownKeyInterval { return false }
            state.lastUnknownKeyFetch = now
            return true
        }
        if mayFetch, let keys = await fetchOnce() { return keys }
        let (known, failed) = state.withLock { ($0.keys, $0.lastFetchFailed) }
        guard let known, !failed else { throw .unavailable("The keys that tokens are checked with cannot be fetched") }
        return known
    }

    /// Returns at graceful shutdown.
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

    /// Joins the fetch under way, or starts one.
    /// - Returns: `nil` where it failed; the known keys are left as they are.
    private func fetchOnce() async -> KeySet? {
        let fetch = state.withLock { state in
            if let fetch = state.fetch { return fetch }
            // A task of its own: one caller that gives up must not end what others wait for. Its deadline bounds it.
            let fetch = Task { await self.fetch() }
            state.fetch = fetch
            return fetch
        }
        return await fetch.value
    }

    private func fetch() async -> KeySet? {
        let fetched: KeySet?
        do {
            fetched = try await request()
        } catch {
            logger.warning("Keys cannot be fetched", metadata: ["reason": "\(type(of: error))"])
            fetched = nil
        }
        state.withLock { state in
            state.fetch = nil
            state.lastFetchFailed = fetched == nil
            if let fetched { state.keys = fetched }
        }
        return fetched
    }

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
            logger.warning("Keys cannot be fetched", metadata: ["reason": "no usable key in the answer"])
            return nil
        }
        return keys
    }
}
