import CommonLogging
import CommonUtil
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import NIOHTTP1

/// An answer that is all there, before it becomes Hummingbird's `Response` or the parts of a connection.
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

    /// Of a JSON answer. It is about one caller, so no cache may keep it.
    static let jsonFields: HTTPFields = [.contentType: "application/json", .cacheControl: "no-store"]

    init(jsonBytes bytes: [UInt8], status: HTTPResponse.Status) {
        self.init(
            status: status, headers: Self.jsonFields, body: ByteBuffer(bytes: bytes))
    }

    init(_ error: ChatError, traceID: String) {
        self.init(
            status: error.code.status, headers: error.problemHeaders, body: error.problemBody(traceID: traceID))
    }

    /// The answer to an error. Only `ChatError` was made to be shown; of all others the client learns nothing but the
    /// kind, and the log the rest.
    init(error: any Error, traceID: String, logger: () -> Logger) {
        switch error {
        case let error as ChatError:
            self.init(error, traceID: traceID)
        case is CancellationError:
            self.init(.unavailable("The service is stopping"), traceID: traceID)
        default:
            logger().error("A request failed unexpectedly", metadata: ["error": "\(SecretMask.text(of: error))"])
            self.init(ChatError(.internalError), traceID: traceID)
        }
    }

    var head: HTTPResponse { HTTPResponse(status: status, headerFields: headers) }

    /// The whole answer as HTTP/1.1 has it (RFC 9112 section 4).
    func bytes(_ allocator: ByteBufferAllocator) -> ByteBuffer {
        var buffer = allocator.buffer(capacity: 512 + body.readableBytes)
        buffer.writeResponseHead(status, headers)
        buffer.writeStaticString("\r\n")
        buffer.writeImmutableBuffer(body)
        return buffer
    }

    var response: Response { Response(status: status, headers: headers, body: ResponseBody(byteBuffer: body)) }
}

extension ByteBuffer {
    /// All of an answer's head but the empty line at its end (RFC 9112 section 4).
    mutating func writeResponseHead(_ status: HTTPResponse.Status, _ headers: HTTPFields) {
        writeString("HTTP/1.1 \(status.code) \(HTTPResponseStatus(statusCode: status.code).reasonPhrase)\r\n")
        for field in headers { writeHeaderField(field.name.rawName, field.value) }
    }

    mutating func writeHeaderField(_ name: String, _ value: String) {
        writeString(name)
        writeStaticString(": ")
        writeString(value)
        writeStaticString("\r\n")
    }
}
