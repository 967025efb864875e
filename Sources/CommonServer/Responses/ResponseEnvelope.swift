import CommonLogging
import CommonUtil
import CoreMetrics
import HTTPTypes
import Hummingbird
import Logging
import Synchronization

/// The header fields of every response, and the log line and measurement of every request: shared by the router and the
/// direct routes.
struct ResponseEnvelope: Sendable {
    let metrics: RequestMetrics
    let cors: CORSPolicy
    /// Whether this server terminates TLS.
    let isEncrypted: Bool
    let logger: Logger
    private let refusals: RefusalLog

    init(metrics: RequestMetrics, cors: CORSPolicy, isEncrypted: Bool, logger: Logger) {
        self.metrics = metrics
        self.cors = cors
        self.isEncrypted = isEncrypted
        self.logger = logger
        refusals = RefusalLog(logger: logger)
    }

    /// Returns a logger whose lines have the ids of a request.
    func logger(traceID: String, requestID: String) -> Logger {
        var logger = logger
        logger[metadataKey: "traceId"] = .string(traceID)
        logger[metadataKey: "requestId"] = .string(requestID)
        return logger
    }

    /// Adds the common fields to a response.
    func finish(_ headers: inout HTTPFields, requestID: String, origin: String?) {
        headers[.requestID] = requestID
        addCommonFields(to: &headers, origin: origin)
    }

    /// Adds the fields that depend on nothing but the request's origin.
    func addCommonFields(to headers: inout HTTPFields, origin: String?) {
        headers[.xContentTypeOptions] = "nosniff"
        if isEncrypted { headers[.strictTransportSecurity] = SecurityHeaders.transportSecurity }
        cors.addFields(to: &headers, origin: origin)
    }

    /// Measures a request and writes its log line. Lines of refusals are sampled (``RefusalLog``).
    /// - Parameter route: the route's template, where there is one.
    func report(
        method: HTTPRequest.Method, path: String, route: String?, status: HTTPResponse.Status, duration: Duration,
        logger: () -> Logger
    ) {
        metrics.record(method: method, route: route, status: status, duration: duration)
        guard self.logger.logLevel <= RequestLog.level(status: status.code),
            status.code < 400 || refusals.admits(method: method.rawValue, route: route, status: status.code)
        else { return }
        RequestLog(method: method.rawValue, pathAndQuery: path, status: status.code, duration: duration)
            .write(to: logger())
    }
}

/// The metric `http_server_request_duration_seconds`, by method, route template and status. Each label has few values,
/// whatever clients send.
final class RequestMetrics: Sendable {
    private struct Key: Hashable {
        let method: String
        let route: String
        let status: Int
    }

    private let factory: any MetricsFactory
    private let routes: Set<String>
    private let timers = Mutex(Timers())

    private struct Request: Equatable {
        let method: String
        let route: String?
        let status: Int
    }

    private struct Timers {
        var all: [Key: CoreMetrics.Timer] = [:]
        /// A busy server mostly gets the same request again, and strings with the same storage compare at once.
        var last: (request: Request, timer: CoreMetrics.Timer)?
    }

    /// - Parameter routes: the route templates that become labels; any other route is `none`.
    init(factory: any MetricsFactory, routes: Set<String>) {
        self.factory = factory
        self.routes = routes
    }

    /// Records a request.
    func record(method: HTTPRequest.Method, route: String?, status: HTTPResponse.Status, duration: Duration) {
        let request = Request(method: method.rawValue, route: route, status: status.code)
        let timer = timers.withLock { timers in
            if let last = timers.last, last.request == request { return last.timer }
            let timer = self.timer(of: request, in: &timers.all)
            timers.last = (request, timer)
            return timer
        }
        let (seconds, attoseconds) = duration.components
        timer.recordNanoseconds(seconds * 1_000_000_000 + attoseconds / 1_000_000_000)
    }

    private func timer(of request: Request, in timers: inout [Key: CoreMetrics.Timer]) -> CoreMetrics.Timer {
        let key = Key(
            method: RequestLog.shown(method: request.method),
            route: request.route.flatMap { routes.contains($0) ? $0 : nil } ?? "none", status: request.status)
        if let timer = timers[key] { return timer }
        let timer = CoreMetrics.Timer(
            label: "http_server_request_duration_seconds",
            dimensions: [("method", key.method), ("route", key.route), ("status", String(key.status))],
            factory: factory)
        timers[key] = timer
        return timer
    }
}
