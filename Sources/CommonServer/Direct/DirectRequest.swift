import CommonAuth
import CommonLogging
import CommonUtil
import HTTPTypes
import Logging
import NIOCore

/// A direct call on its way through a connection. A class, since the state that holds it is looked at often.
final class DirectRequest {
    let head: RequestHead
    private let route: DirectRoutes.Route
    private let user: AuthenticatedUser
    private let start = ContinuousClock.now
    private let trace: TraceContext

    init(_ head: RequestHead, _ route: DirectRoutes.Route, _ user: AuthenticatedUser) {
        self.head = head
        self.route = route
        self.user = user
        trace = TraceContext(traceparent: head["traceparent"])
    }

    /// Calls the route. `finish` is called once, at any time, from any thread.
    func answer(_ body: [UInt8], _ finish: @escaping @Sendable (Result<DirectResponse, any Error>) -> Void) {
        let (route, call) = (route, DirectCall(user: user, body: body))
        route.admission(user) { refusal in
            if let refusal { finish(.failure(refusal)) } else { route.answer(call, finish) }
        }
    }

    /// Writes the log line and the measurement of the request.
    /// - Parameter isLast: whether the connection ends with this answer.
    /// - Returns: the whole answer.
    func bytes(
        of result: Result<DirectResponse, any Error>, _ routes: DirectRoutes, isLast: Bool,
        _ allocator: ByteBufferAllocator
    ) -> ByteBuffer {
        let requestID = RequestID.accepted(head["x-request-id"]) ?? trace.spanID
        let logger = {
            var logger = routes.envelope.logger(traceID: self.trace.traceID, requestID: requestID)
            logger[metadataKey: "userId"] = .stringConvertible(self.user.userID)
            return logger
        }
        let origin = head["origin"]
        let (status, bytes): (HTTPResponse.Status, ByteBuffer)
        if case .success(let answer) = result, origin == nil, !isLast {
            status = answer.status
            bytes = routes.heads.bytes(of: answer, requestID: requestID, allocator)
        } else {
            var answer =
                switch result {
                case .success(let value): BufferedResponse(jsonBytes: value.body, status: value.status)
                case .failure(let error): BufferedResponse(error: error, traceID: trace.traceID, logger: logger)
                }
            answer.headers[.date] = routes.date.text
            routes.envelope.finish(&answer.headers, requestID: requestID, origin: origin)
            if isLast { answer.headers[.connection] = "close" }
            (status, bytes) = (answer.status, answer.bytes(allocator))
        }
        routes.envelope.report(
            method: .post, path: route.path, route: route.path, status: status, duration: .now - start, logger: logger)
        return bytes
    }
}

@available(*, unavailable)
extension DirectRequest: Sendable {}
