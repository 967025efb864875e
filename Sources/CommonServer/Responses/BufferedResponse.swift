import CommonLogging
import CommonUtil
import HTTPTypes
import Hummingbird
import Logging
import NIOCore

/// A complete response, from which Hummingbird's `Response` or the bytes for a connection are made.
struct BufferedResponse {
    var status: HTTPResponse.Status
    var headers: HTTPFields
    let body: ByteBuffer

    private init(status: HTTPResponse.Status, headers: HTTPFields, body: ByteBuffer) {
        self.status = status
        self.headers = headers
        self.body = body
        self.headers[.contentLength] = String(body.readableBytes)
    }

    /// The fields of a JSON response. It is for one caller, so no cache may store it.
    static let jsonFields: HTTPFields = [.contentType: "application/json", .cacheControl: "no-store"]

    /// A response of JSON text.
    init(jsonBytes bytes: [UInt8], status: HTTPResponse.Status) {
        self.init(
            status: status, headers: Self.jsonFields, body: ByteBuffer(bytes: bytes))
    }

    /// The problem response of an error.
    init(_ error: ChatError, traceID: String) {
        self.init(
            status: error.code.status, headers: error.problemHeaders, body: error.problemBody(traceID: traceID))
    }

    /// The problem response of any error. Only a `ChatError` is shown to the client; any other is logged, and the response
    /// is `internal_error`.
    init(error: any Error, traceID: String, logger: () -> Logger) {
        switch error {
        case let error as ChatError:
            self.init(error, traceID: traceID)
        case is CancellationError:
            self.init(.unavailable("The service is stopping"), traceID: traceID)
        default:
            logger().error("A request failed unexpectedly", metadata: ["error": "\(SecretRedactor.text(of: error))"])
            self.init(ChatError(.internalError), traceID: traceID)
        }
    }

    /// The bytes of the whole response (RFC 9112 section 4).
    func bytes(_ allocator: ByteBufferAllocator) -> ByteBuffer {
        var buffer = allocator.buffer(capacity: 512 + body.readableBytes)
        buffer.writeResponseHead(status, headers)
        buffer.writeStaticString("\r\n")
        buffer.writeImmutableBuffer(body)
        return buffer
    }

    /// The same response for the router.
    var response: Response { Response(status: status, headers: headers, body: ResponseBody(byteBuffer: body)) }
}

extension Response {
    /// Makes a JSON response. It is for one caller, so no cache may store it.
    public init(json value: some JSONEncodable, status: HTTPResponse.Status = .ok) {
        self.init(jsonBytes: value.jsonBytes, status: status)
    }

    /// Makes a response of JSON text.
    public init(jsonBytes bytes: [UInt8], status: HTTPResponse.Status = .ok) {
        self = BufferedResponse(jsonBytes: bytes, status: status).response
    }

    /// A response with status 204 and no body.
    public static var noContent: Response {
        var response = Response(status: .noContent)
        // RFC 9110 section 8.6: no Content-Length with 204.
        response.headers[.contentLength] = nil
        return response
    }
}
