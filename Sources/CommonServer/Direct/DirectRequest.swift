import CommonAuth
import CommonLogging
import CommonUtil
import HTTPTypes
import NIOCore
import Synchronization

/// A direct request in progress. A class, since the connection's state holds it and is copied often.
final class DirectRequest {
    let head: RequestHead
    private let route: DirectRoutes.Route
    private let user: AuthenticatedUser
    private let record: ConnectionRequest

    init(_ head: RequestHead, _ route: DirectRoutes.Route, _ user: AuthenticatedUser) {
        self.head = head
        self.route = route
        self.user = user
        record = ConnectionRequest(head)
    }

    /// Runs the route's admission and handler.
    /// - Parameter completion: called exactly once, at any time and on any thread.
    func run(_ body: [UInt8], _ completion: @escaping @Sendable (Result<DirectResponse, any Error>) -> Void) {
        let (route, call) = (route, DirectCall(user: user, key: nil, body: body))
        route.admission(user) { refusal in
            if let refusal { completion(.failure(refusal)) } else { route.handle(call, completion) }
        }
    }

    /// Makes the response, and writes the log line and the measurement of the request.
    /// - Parameter isLast: whether the connection ends with this response.
    /// - Returns: the bytes of the whole response.
    func bytes(
        of result: Result<DirectResponse, any Error>, _ routes: DirectRoutes, isLast: Bool,
        _ allocator: ByteBufferAllocator
    ) -> ByteBuffer {
        let requestID = record.requestID
        let origin = head["origin"]
        let (status, bytes): (HTTPResponse.Status, ByteBuffer)
        if case .success(let response) = result, origin == nil, !isLast {
            status = response.status
            bytes = routes.heads.bytes(of: response, requestID: requestID, allocator)
        } else {
            var response =
                switch result {
                case .success(let value): BufferedResponse(jsonBytes: value.body, status: value.status)
                case .failure(let error):
                    BufferedResponse(
                        error: error, traceID: record.trace.traceID,
                        logger: { self.record.logger(user: self.user.userID, routes.envelope) })
                }
            response.headers[.date] = routes.date.text
            routes.envelope.finish(&response.headers, requestID: requestID, origin: origin)
            if isLast { response.headers[.connection] = "close" }
            (status, bytes) = (response.status, response.bytes(allocator))
        }
        record.report(method: .post, path: route.path, status: status, user: user.userID, routes.envelope)
        return bytes
    }
}

@available(*, unavailable)
extension DirectRequest: Sendable {}

/// Makes responses from heads that are cached for a second: only two fields differ from one response to the next.
final class DirectResponseHeads: Sendable {
    private struct Head {
        let date: String
        let bytes: ByteBuffer
    }

    private let envelope: ResponseEnvelope
    private let date: HTTPDate
    /// The text between the value of `Content-Length`, with which a cached head ends, and the request's id.
    private let requestIDField = "\r\n\(HTTPField.Name.requestID.rawName): "
    /// By status.
    private let heads = Mutex<[Int: Head]>([:])

    init(envelope: ResponseEnvelope, date: HTTPDate) {
        self.envelope = envelope
        self.date = date
    }

    /// Makes the response to a request without `Origin`.
    func bytes(of response: DirectResponse, requestID: String, _ allocator: ByteBufferAllocator) -> ByteBuffer {
        let head = head(response.status)
        var buffer = allocator.buffer(capacity: head.readableBytes + 256 + response.body.count)
        buffer.writeImmutableBuffer(head)
        buffer.writeString(String(response.body.count))
        buffer.writeString(requestIDField)
        buffer.writeString(requestID)
        buffer.writeStaticString("\r\n\r\n")
        buffer.writeBytes(response.body)
        return buffer
    }

    private func head(_ status: HTTPResponse.Status) -> ByteBuffer {
        let date = date.text
        return heads.withLock { heads in
            if let head = heads[status.code], head.date == date { return head.bytes }
            var fields = BufferedResponse.jsonFields
            fields[.date] = date
            envelope.addCommonFields(to: &fields, origin: nil)
            var bytes = ByteBuffer()
            bytes.writeResponseHead(status, fields)
            bytes.writeString("\(HTTPField.Name.contentLength.rawName): ")
            heads[status.code] = Head(date: date, bytes: bytes)
            return bytes
        }
    }
}
