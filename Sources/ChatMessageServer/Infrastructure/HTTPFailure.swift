import AsyncHTTPClient
import CommonUtil
import NIOCore
import NIOHTTP1
import NIOSSL

/// Why a request to somebody's program got no answer, for people: without internals, and without the URL, which may have a
/// secret.
enum HTTPFailure {
    static func reason(of error: any Error) -> String {
        switch error {
        case is CancellationError: "was not answered in time"
        case let error as HTTPClientError: reason(of: error)
        case is NIOSSLError: "has no valid TLS"
        case is NIOTooManyBytesError: "gave an answer that is too large"
        default: "could not be reached"
        }
    }

    private static func reason(of error: HTTPClientError) -> String {
        switch error {
        case .deadlineExceeded, .readTimeout, .writeTimeout, .connectTimeout, .getConnectionFromPoolTimeout, .cancelled:
            "was not answered in time"
        case .remoteConnectionClosed: "closed the connection"
        default: "gave no valid answer"
        }
    }
}

extension HTTPClientRequest {
    /// A `POST` of JSON.
    static func jsonPost(_ body: [UInt8], headers: [(String, String)], to url: WebhookURL) -> HTTPClientRequest {
        var request = HTTPClientRequest(url: url.text)
        request.method = .POST
        request.headers.add(name: "content-type", value: "application/json")
        request.headers.add(name: "user-agent", value: "chat/\(ChatVersion.current)")
        for (name, value) in headers { request.headers.add(name: name, value: value) }
        request.body = .bytes(body)
        return request
    }
}
