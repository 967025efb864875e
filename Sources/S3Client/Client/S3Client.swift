import AsyncHTTPClient
import CommonUtil
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import ServiceLifecycle

/// A client of one bucket of an S3-compatible store: path style, Signature Version 4.
///
/// Every request can be repeated without harm, and is, where the store is away for a moment. Files are neither sent nor
/// received in one piece of memory.
public final class S3Client: Sendable {
    /// The longest answer that is read, other than an object.
    private static let maximumAnswerBytes = 4 << 20
    private static let maximumErrorBytes = 64 * 1_024

    let configuration: S3Configuration
    let threads: NIOThreadPool
    private let http: HTTPClient
    private let signer: RequestSigner

    /// ``run()`` has to be called, or ``shutdown()`` in the end.
    /// - Parameters:
    ///   - tls: of the connections, where the configuration has https.
    ///   - threads: read the files that are sent.
    public init(
        _ configuration: S3Configuration, tls: TLSConfiguration, eventLoopGroup: any EventLoopGroup,
        threads: NIOThreadPool = .singleton
    ) {
        self.configuration = configuration
        self.threads = threads
        signer = RequestSigner(credentials: configuration.credentials, region: configuration.region)
        var client = HTTPClient.Configuration(
            tlsConfiguration: tls, redirectConfiguration: .disallow,
            timeout: .init(
                connect: configuration.connectTimeout, read: configuration.idleTimeout,
                write: configuration.idleTimeout))
        client.httpVersion = .http1Only
        client.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = configuration.maximumConnections
        http = HTTPClient(eventLoopGroup: eventLoopGroup, configuration: client)
    }

    /// Closes all connections.
    public func shutdown() async { try? await http.shutdown() }

    // MARK: Attempts

    /// Sends a request until it succeeds, fails for good, or has been tried often enough.
    /// - Parameter read: reads the answer; may throw ``S3Failure``.
    func perform<Answer: Sendable>(
        _ request: S3Request, _ read: @escaping @Sendable (HTTPClientResponse) async throws -> Answer
    ) async throws(S3Error) -> Answer {
        let hash = try await request.body.hash()
        let timeout = configuration.requestTimeout + .seconds(request.body.count / configuration.slowestUpload)
        var backoff = Backoff(first: configuration.minimumBackoff, longest: configuration.maximumBackoff)
        var attempts = 0
        while true {
            let failure: S3Failure
            do {
                return try await withTimeout(timeout) {
                    try await self.attempt(request, payloadHash: hash, timeout: timeout, read)
                }
            } catch {
                failure = Self.failure(error)
            }
            attempts += 1
            guard failure.isPassing, attempts < configuration.attempts else { throw failure.error }
            do { try await Task.sleep(for: backoff.next()) } catch { throw .cancelled }
        }
    }

    private func attempt<Answer>(
        _ request: S3Request, payloadHash: String, timeout: Duration,
        _ read: (HTTPClientResponse) async throws -> Answer
    ) async throws -> Answer {
        let path = request.path(bucket: configuration.bucket)
        let query = RequestSigner.queryText(request.query)
        let scheme = configuration.usesTLS ? "https" : "http"
        var message = HTTPClientRequest(
            url: "\(scheme)://\(configuration.authority)\(path)" + (query.isEmpty ? "" : "?\(query)"))
        message.method = request.method
        let headers = signer.headers(
            method: request.method.rawValue, path: path, query: request.query,
            headers: request.headers + [("host", configuration.authority)], payloadHash: payloadHash, at: .now)
        for (name, value) in headers { message.headers.add(name: name, value: value) }
        message.headers.add(name: "user-agent", value: "chat/\(ChatVersion.current)")
        switch request.body {
        case .none: break
        case .bytes(let bytes): message.body = .bytes(bytes)
        case .file(let part): message.body = .stream(part, length: .known(Int64(part.range.count)))
        }
        let response = try await http.execute(message, timeout: TimeAmount(timeout), logger: nil)
        guard (200..<300).contains(response.status.code) else {
            let body = try? await response.body.collect(upTo: Self.maximumErrorBytes)
            throw S3Failure(
                status: Int(response.status.code), code: S3Failure.code(body.map { Array($0.readableBytesView) } ?? []),
                isHead: request.method == .HEAD)
        }
        return try await read(response)
    }

    /// Reads what is left of an answer that says nothing more, so that the connection can serve the next request.
    static func drain(_ response: HTTPClientResponse) async throws {
        _ = try await response.body.collect(upTo: maximumErrorBytes)
    }

    /// Reads an answer of XML. An error can come with status 200, after a long wait.
    static func document(_ response: HTTPClientResponse) async throws -> XMLElement {
        let body: ByteBuffer
        do {
            body = try await response.body.collect(upTo: maximumAnswerBytes)
        } catch is NIOTooManyBytesError {
            throw S3Failure.final(.unavailable("the answer is too long"))
        }
        let bytes = Array(body.readableBytesView)
        guard let document = XMLReader.read(bytes) else {
            throw S3Failure.passing(.unavailable("the answer is no valid XML"))
        }
        if document.name == "Error" { throw S3Failure(status: 500, code: S3Failure.code(bytes)) }
        return document
    }

    /// What an error of an attempt means. No text of a library goes on, since it could quote a URL or a header field.
    static func failure(_ error: any Error) -> S3Failure {
        switch error {
        case let failure as S3Failure: failure
        case let error as S3Error: .final(error)
        case _ where Task.isCancelled: .final(.cancelled)
        case is TimedOut: .passing(.unavailable("not answered in time"))
        case let error as HTTPClientError:
            switch error {
            case .deadlineExceeded, .readTimeout, .writeTimeout, .connectTimeout, .getConnectionFromPoolTimeout,
                .cancelled:
                .passing(.unavailable("not answered in time"))
            case .alreadyShutdown: .final(.unavailable("the client is shut down"))
            default: .passing(.unavailable("the connection broke, or the answer is no valid HTTP"))
            }
        case is NIOSSLError, is NIOSSLExtraError: .final(.unavailable("no valid TLS"))
        default: .passing(.unavailable("cannot be reached"))
        }
    }
}

extension S3Client: Service {
    /// Waits for the end of the service group, then closes all connections.
    public func run() async throws {
        try? await gracefulShutdown()
        await shutdown()
    }
}

/// An attempt that took too long.
struct TimedOut: Error {}

/// Runs `body` for at most so long; then it is cancelled.
/// - Throws: ``TimedOut``, or what `body` throws.
private func withTimeout<Answer: Sendable>(
    _ timeout: Duration, _ body: @escaping @Sendable () async throws -> Answer
) async throws -> Answer {
    try await withThrowingTaskGroup { group in
        group.addTask(operation: body)
        group.addTask {
            try await Task.sleep(for: timeout)
            throw TimedOut()
        }
        defer { group.cancelAll() }
        guard let answer = try await group.next() else { throw TimedOut() }
        return answer
    }
}
