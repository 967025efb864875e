// A route whose response is a stream: its body has no end of its own, and more of it is sent whenever there is something to
// send. Hummingbird would need a task for each response. Here the connection's handler serves the route itself:
//
//     HTTPConnectionHandler     reads the head and asks StreamRoutes.accept
//     StreamHandler             decides, now or later: a refusal, or a stream
//     HTTPConnectionHandler     a refusal: the problem response, and the connection goes on
//                               a stream: hands the head of the response to the stream, and from then on what happens
//     ResponseStream            writes through its StreamConnection, until one of the two ends it
//
// `Routes.streaming` registers the path with the router as well, which responds to all other methods, to preflight
// requests and to requests with a body.

import CommonAuth
import CommonLogging
import CommonUtil
import HTTPTypes
import NIOCore

/// A request for a stream.
public struct StreamCall {
    /// The head of the request, which is all of it.
    public let head: RequestHead
    /// The channel of the connection.
    public let channel: any Channel
}

/// The decision on a request for a stream.
public enum StreamDecision {
    /// Respond with this error. The connection goes on.
    case refuse(ChatError)
    /// Respond with the stream that the closure makes. It is called at once, except for `HEAD`, which gets only the head of
    /// the response.
    case begin((StreamConnection) -> any ResponseStream)
}

/// Handles a request for a stream. It is called on the event loop of the connection and calls `decide` exactly once, on
/// this event loop, now or later. The connection can have ended by then; then the decision is dropped.
public typealias StreamHandler = @Sendable (StreamCall, _ decide: @escaping (StreamDecision) -> Void) -> Void

/// The streaming routes of a server.
struct StreamRoutes: Sendable {
    /// A path and its handler.
    struct Route: Sendable {
        let path: String
        /// The media type of the response.
        let contentType: String
        let handler: StreamHandler
    }

    let routes: [Route]
    let envelope: ResponseEnvelope
    let date: HTTPDate
    /// Whether the server has started.
    let isServing: @Sendable () -> Bool

    /// Matches a request.
    /// - Returns: `nil` if the router has to handle the request.
    func accept(_ head: RequestHead) -> StreamRequest? {
        guard head.hasNoBody, head.isMethod("GET") || head.isMethod("HEAD"),
            let route = routes.first(where: { head.isPath($0.path) })
        else { return nil }
        return StreamRequest(head, route)
    }

    /// Lets the route's handler decide on a request.
    func decide(_ request: StreamRequest, on channel: any Channel, _ decide: @escaping (StreamDecision) -> Void) {
        guard isServing() else { return decide(.refuse(.unavailable("The service is starting"))) }
        request.route.handler(StreamCall(head: request.head, channel: channel), decide)
    }
}

/// A request for a stream in progress. A class, since the connection's state holds it and is copied often.
final class StreamRequest {
    let head: RequestHead
    let route: StreamRoutes.Route
    private let record: ConnectionRequest

    init(_ head: RequestHead, _ route: StreamRoutes.Route) {
        self.head = head
        self.route = route
        record = ConnectionRequest(head)
    }

    /// Whether only the head of the response is asked for.
    var isHead: Bool { head.isMethod("HEAD") }

    /// Makes the response of a refusal, and reports the request.
    /// - Parameter isLast: whether the connection ends with this response.
    func refusal(_ error: ChatError, _ routes: StreamRoutes, isLast: Bool) -> ByteBuffer {
        var response = BufferedResponse(error, traceID: record.trace.traceID)
        finish(&response.headers, routes, isLast: isLast)
        report(response.status, routes)
        return isHead ? Self.head(response.status, response.headers) : response.bytes(ByteBufferAllocator())
    }

    /// Makes the head of a stream, and reports the request. Its duration is that until the stream begins.
    /// - Parameter isLast: whether the connection ends with this response, as it does with every stream.
    func opening(_ routes: StreamRoutes, isLast: Bool) -> ByteBuffer {
        var headers: HTTPFields = [
            .contentType: route.contentType, .cacheControl: "no-store",
            // Without it nginx collects the response before it passes it on.
            .accelBuffering: "no",
        ]
        finish(&headers, routes, isLast: isLast)
        report(.ok, routes)
        return Self.head(.ok, headers)
    }

    private func finish(_ headers: inout HTTPFields, _ routes: StreamRoutes, isLast: Bool) {
        headers[.date] = routes.date.text
        routes.envelope.finish(&headers, requestID: record.requestID, origin: head["origin"])
        if isLast { headers[.connection] = "close" }
    }

    private func report(_ status: HTTPResponse.Status, _ routes: StreamRoutes) {
        record.report(method: isHead ? .head : .get, path: route.path, status: status, user: nil, routes.envelope)
    }

    private static func head(_ status: HTTPResponse.Status, _ headers: HTTPFields) -> ByteBuffer {
        var bytes = ByteBuffer()
        bytes.writeResponseHead(status, headers)
        bytes.writeStaticString("\r\n")
        return bytes
    }
}

@available(*, unavailable)
extension StreamRequest: Sendable {}

extension HTTPField.Name {
    /// `X-Accel-Buffering`: whether nginx may buffer a response.
    static let accelBuffering = HTTPField.Name(constant: "X-Accel-Buffering")
}
