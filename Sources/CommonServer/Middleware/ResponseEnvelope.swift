import CommonLogging
import CommonUtil
import HTTPTypes
import Hummingbird
import Logging

/// What every answer carries and every request leaves behind, whichever way it was answered.
struct ResponseEnvelope: Sendable {
    let metrics: RequestMetrics
    let cors: CORSPolicy
    /// Whether this server itself speaks TLS.
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

    func logger(traceID: String, requestID: String) -> Logger {
        var logger = logger
        logger[metadataKey: "traceId"] = .string(traceID)
        logger[metadataKey: "requestId"] = .string(requestID)
        return logger
    }

    func finish(_ headers: inout HTTPFields, requestID: String, origin: String?) {
        headers[.requestID] = requestID
        addCommonFields(to: &headers, origin: origin)
    }

    /// What does not depend on the request, but for where it comes from.
    func addCommonFields(to headers: inout HTTPFields, origin: String?) {
        headers[.xContentTypeOptions] = "nosniff"
        if isEncrypted { headers[.strictTransportSecurity] = SecurityHeaders.transportSecurity }
        cors.addFields(to: &headers, origin: origin)
    }

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
