import CommonUtil
import FoundationEssentials
import Logging
import NIOSSL
import ServiceLifecycle
import Synchronization

/// The issuers of `CHAT_ISSUERS_FILE`, which is read again within ten seconds of a change, and their keys.
public final class IssuerDirectory: Service {
    private struct State {
        /// The content that the issuers are from.
        var content: [UInt8]?
        var sources: [String: IssuerKeySource] = [:]
        var problem: String?
    }

    private static let rereadInterval = Duration.seconds(5)
    private static let maximumFileBytes = 1_024 * 1_024

    private let path: String?
    private let httpClient = IssuerHTTPClient()
    private let tls: TLSConfiguration
    private let logger: Logger
    private let state: Mutex<State>

    /// Reads the file.
    /// - Parameters:
    ///   - path: the value of `CHAT_ISSUERS_FILE`; `nil` for none, and then there are no issuers.
    ///   - trustFile: a PEM file of certificate authorities to trust beside the system's.
    /// - Throws: ``ConfigurationError`` for a file that is not there or is wrong.
    public init(
        file path: String?, trustFile: String? = nil, logger: Logger = Logger(label: "issuers")
    ) throws(ConfigurationError) {
        self.path = path
        self.logger = logger
        tls = .client(trustFile: trustFile)
        state = Mutex(State())
        guard let path else { return }
        do {
            let content = try Self.content(of: path)
            try use(content)
        } catch {
            let setting = Settings.issuersFile
            throw ConfigurationError(
                "\(setting.name) is '\(path)', allowed is: \(setting.allowed); \(error.description)")
        }
    }

    /// Why the file cannot be used at the moment; `nil` while it can. The former issuers stay meanwhile.
    public var problem: String? { state.withLock(\.problem) }

    /// Whether an issuer is in the list.
    public func contains(_ issuer: String) -> Bool { state.withLock { $0.sources[issuer] != nil } }

    /// Verifies a token of one of the issuers.
    /// - Throws: `invalid_token` (401); `issuer_unavailable` (503) while the issuer's keys cannot be had.
    public func identity(_ text: String, at now: Timestamp = .now) async throws(ChatError) -> ForeignIdentity {
        let token = try ForeignToken(text)
        guard let issuer = token.issuer, let source = state.withLock({ $0.sources[issuer] }),
            source.issuer.algorithms.contains(token.algorithm)
        else { throw .badToken }
        try await source.verify(token)
        return try token.identity(source.issuer, at: now)
    }

    /// Reads the file again and fetches keys periodically, until graceful shutdown.
    public func run() async throws {
        try? await cancelWhenGracefulShutdown {
            while true {
                self.reread()
                for source in self.state.withLock({ Array($0.sources.values) }) { source.refreshIfDue() }
                try await Task.sleep(for: Self.rereadInterval)
            }
        }
        await shutDown()
    }

    /// Ends the connections to the issuers.
    func shutDown() async { await httpClient.shutDown() }

    // MARK: The file

    /// Reads the file again. A wrong one changes nothing. Read by its path, so that renamed and re-linked files count.
    func reread() {
        guard let path else { return }
        do {
            let content = try Self.content(of: path)
            let isKnown = state.withLock { state in
                guard content == state.content else { return false }
                state.problem = nil
                return true
            }
            guard !isKnown else { return }
            try use(content)
            logger.notice("The issuers have changed", metadata: ["file": "\(path)"])
        } catch {
            let isNews = state.withLock { state in
                defer { state.problem = error.description }
                return state.problem != error.description
            }
            if isNews {
                logger.error(
                    "The issuers cannot be read again, the former ones stay",
                    metadata: ["file": "\(path)", "reason": "\(error.description)"])
            }
        }
    }

    private func use(_ content: [UInt8]) throws(IssuerList.Invalid) {
        let list = try IssuerList(json: content)
        state.withLock { state in
            let former = state.sources
            // An issuer that is as it was keeps its keys.
            let sources: [(String, IssuerKeySource)] = list.issuers.map { issuer in
                if let source = former[issuer.issuer], source.issuer == issuer { return (issuer.issuer, source) }
                return (
                    issuer.issuer, IssuerKeySource(issuer, httpClient: httpClient, tls: tls, logger: logger)
                )
            }
            state.sources = Dictionary(sources, uniquingKeysWith: { first, _ in first })
            state.content = content
            state.problem = nil
        }
    }

    private static func content(of path: String) throws(IssuerList.Invalid) -> [UInt8] {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw IssuerList.Invalid(description: "it cannot be read")
        }
        guard data.count <= maximumFileBytes else { throw IssuerList.Invalid(description: "it is too large") }
        return Array(data)
    }
}
