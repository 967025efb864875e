import CommonLogging
import CommonUtil
import HTTPTypes
import Logging

/// What ties the response, the log line and the measurement of a request together, for requests that a connection's
/// handler serves without the router.
struct ConnectionRequest {
    let trace: TraceContext
    /// The id of the request: the client's, or one that is made.
    let requestID: String
    private let start = ContinuousClock.now

    init(_ head: RequestHead) {
        trace = TraceContext(traceparent: head["traceparent"])
        requestID = RequestID.accepted(head["x-request-id"], in: trace)
    }

    /// Returns a logger whose lines have the ids of the request.
    func logger(user: UserID?, _ envelope: ResponseEnvelope) -> Logger {
        var logger = envelope.logger(traceID: trace.traceID, requestID: requestID)
        if let user { logger[metadataKey: "userId"] = .stringConvertible(user) }
        return logger
    }

    /// Writes the log line and the measurement of the request.
    /// - Parameter path: the path of the route, which has no parameters.
    func report(
        method: HTTPRequest.Method, path: String, status: HTTPResponse.Status, user: UserID?,
        _ envelope: ResponseEnvelope
    ) {
        envelope.report(
            method: method, path: path, route: path, status: status, duration: .now - start,
            logger: { logger(user: user, envelope) })
    }
}
